// Prints the tests that no run has executed, then those that failed, with their reasons, and the closing line of CI: the sum over
// vitest's JSON reports. An empty report means that what makes it has not got so far. What matters comes last: of a long output
// often only the end is kept.
import { basename } from 'node:path'
import { readFileSync } from 'node:fs'

/** Characters of a failure's message that are shown: the assertion and the first lines of its stack. */
const shownOfMessage = 1_500

const total = { passed: 0, failed: 0, skipped: 0 }
const skipped = new Set()
const executed = new Set()
const failures = []
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8')
  const name = basename(file, '.json')
  if (text === '') {
    total.failed += 1
    failures.push(`${name}: ended before its tests`)
    continue
  }
  const report = JSON.parse(text)
  total.passed += report.numPassedTests ?? 0
  total.failed += report.numFailedTests ?? 0
  total.skipped += report.numPendingTests ?? 0
  for (const { assertionResults, name: path, status: fileStatus, message } of report.testResults ?? []) {
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'skipped' || status === 'pending') skipped.add(fullName)
      else executed.add(fullName)
      if (status === 'failed') failures.push(`${name}: ${fullName}\n${failureMessages.join('\n').slice(0, shownOfMessage)}`)
    }
    if (fileStatus === 'failed' && message) failures.push(`${name}: ${path}\n${message.slice(0, shownOfMessage)}`)
  }
  // A failure outside of a test: an unhandled rejection, a suite that cannot be loaded.
  if (report.success === false && report.numFailedTests === 0) {
    total.failed += 1
    failures.push(`${name}: failed outside of its tests`)
  }
}
for (const name of [...skipped].filter((name) => !executed.has(name)).sort()) console.log(`skipped: ${name}`)
for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
if (total.passed === 0 || total.failed > 0) process.exit(1)
