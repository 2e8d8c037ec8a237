import { expect, test } from 'vitest'
import { SourceTransactions } from '../../../../src/streams/aggregate/source-transactions.ts'

function partial(sourcePartition: number, offset: number, isLast: boolean) {
  return { sourcePartition, offsets: [offset], isLast, hasDelta: true, streamTime: null }
}

test('nothing is whole while any source transaction is half read', () => {
  const transactions = new SourceTransactions(['logins'], {})
  expect(transactions.isWhole).toBe(true)
  transactions.read(partial(0, 10, false))
  transactions.read(partial(1, 5, true))
  expect(transactions.isWhole).toBe(false)
  expect(transactions.counted()).toEqual({ logins: { 1: 5 } })
  transactions.read(partial(0, 10, true))
  expect(transactions.isWhole).toBe(true)
  expect(transactions.counted()).toEqual({ logins: { 0: 10, 1: 5 } })
})

test('what was counted before stays, and the copy given out does not change', () => {
  const transactions = new SourceTransactions(['logins'], { logins: { 3: 7 } })
  const before = transactions.counted()
  transactions.read(partial(3, 9, true))
  expect(before).toEqual({ logins: { 3: 7 } })
  expect(transactions.counted()).toEqual({ logins: { 3: 9 } })
})
