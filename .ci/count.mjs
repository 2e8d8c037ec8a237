// Prints the tests that were skipped, and the closing line of CI: the sum over vitest's JSON reports. An empty report means that
// what makes it has not got so far.
import { readFileSync } from 'node:fs'

const total = { passed: 0, failed: 0, skipped: 0 }
const skipped = new Set()
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8')
  const report = text === '' ? { numFailedTests: 1 } : JSON.parse(text)
  total.passed += report.numPassedTests ?? 0
  total.failed += report.numFailedTests
  total.skipped += report.numPendingTests ?? 0
  for (const { assertionResults } of report.testResults ?? []) {
    for (const { status, fullName } of assertionResults) {
      if (status === 'skipped' || status === 'pending') skipped.add(fullName)
    }
  }
}
for (const name of [...skipped].sort()) console.log(`skipped: ${name}`)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
if (total.passed === 0 || total.failed > 0) process.exit(1)
