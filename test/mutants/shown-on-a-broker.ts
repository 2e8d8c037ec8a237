/** What the scenarios of `on-a-broker.test.ts` must end with for each mutant: that one cannot even start says nothing. */

/** A recount says that counts are wrong. */
const wrong = /^wrong: /
/** Either that, or the processor sees before that its offsets do not fit its counts. */
const wrongOrNoticed = /^(wrong: |ended: OFFSET_(LOST|MISMATCH): )/

export const shownOnABroker: ReadonlyMap<string, RegExp> = new Map([
  ['store-before-commit', wrongOrNoticed],
  ['offsets-before-the-transaction', wrongOrNoticed],
  ['no-fencing', wrongOrNoticed],
  ['no-rewind', wrongOrNoticed],
  ['unknown-is-committed', wrongOrNoticed],
  ['unknown-is-aborted', wrongOrNoticed],
  ['combiner-kept-after-abort', wrongOrNoticed],
  ['no-abort-filter', wrong],
  ['unsorted-abort-filter', wrong],
  ['store-used-after-write-error', /^it goes on after a write that was refused; /],
  ['empty-batch-not-passed', /^the restore stands still$/],
  ['offset-not-compared', wrong],
])
