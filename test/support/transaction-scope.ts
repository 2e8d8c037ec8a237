import type { TransactionScope } from '../../src/streams/index.ts'

let scope: TransactionScope = 'thread'

/** Of applications that do not say it themselves. */
export function defaultScope(): TransactionScope {
  return scope
}

/** For the applications of what runs next; the tests of a file run one after the other. */
export function setDefaultScope(next: TransactionScope): void {
  scope = next
}
