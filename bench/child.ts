/**
 * Measures one case in a process of its own: `child.ts NAME ROUNDS`, the result as JSON on standard output.
 *
 * What an engine makes of a function depends on all that the process has called it with. In a process of all cases the
 * numbers of one would hang on which others ran before it, and none would be those of a program that uses the codec.
 */
import { corpus } from "./corpus.js";
import { measure } from "./measure.js";

const [name = "", rounds = ""] = process.argv.slice(2);
const one = corpus[name];
if (one === undefined) throw new Error(`there is no case ${name}`);
process.stdout.write(JSON.stringify(await measure(one, Number(rounds), 40)));
