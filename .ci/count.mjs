// Prints the closing line of CI from vitest's JSON report. An empty report means that lint or types have failed before.
import { readFileSync } from 'node:fs'

const text = readFileSync(process.argv[2], 'utf8')
const { numPassedTests, numFailedTests, numPendingTests } =
  text === '' ? { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0 } : JSON.parse(text)
console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`)
if (numPassedTests === 0 || numFailedTests > 0) process.exit(1)
