// What a project has in webpack anyway: something that takes the types out.
const { transformSync } = require("esbuild");

module.exports = (source) => transformSync(source, { loader: "ts" }).code;
