/* Prints `N passed, N failed` from the test runner's JSON; a file that failed to load counts as one failure. */
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
if (!Number.isInteger(report.numPassedTests) || !Array.isArray(report.testResults)) throw new Error('not a test report')
const broken = report.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
)
const failed = report.numFailedTests + broken.length
if (report.numPassedTests + failed === 0) throw new Error('no test ran')
console.log(`${report.numPassedTests} passed, ${failed} failed`)
