import { defineConfig } from "vitest/config";

// .ci/run names a file here and reads the counts from it; a person at a terminal needs only the default reporter.
const summary = process.env["VIRTWIRE_TEST_SUMMARY"];

export default defineConfig({
  test: {
    // By itself vitest leaves a processor free: of two, that is every second one.
    maxWorkers: "100%",
    // No test waits so long. Machines that do other work besides are slower by far.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: summary ? ["default", ["json", { outputFile: summary }]] : ["default"],
    coverage: { provider: "v8", include: ["src/**/*.ts", "generated/**/*.ts"] },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          // They need what `npm install` does not bring: a C compiler with recent kernel headers, a real QEMU, the built
          // package.
          exclude: ["test/oracle/**", "test/qemu/**", "test/consumer/**"],
        },
      },
      {
        extends: true,
        test: { name: "oracle", include: ["test/oracle/**/*.test.ts"], testTimeout: 120_000 },
      },
      {
        extends: true,
        test: {
          name: "qemu",
          include: ["test/qemu/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: { name: "consumer", include: ["test/consumer/**/*.test.ts"], hookTimeout: 180_000 },
      },
    ],
  },
});
