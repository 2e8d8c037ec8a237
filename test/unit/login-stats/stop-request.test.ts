import { describe, expect, test } from 'vitest'
import { StopRequest } from '../../../src/login-stats/stop-request.ts'

/** A request with the exit codes that it ended the process with, and the reasons that its listeners were told. */
function observed() {
  const ended: number[] = []
  const heard: string[] = []
  const stop = new StopRequest((exitCode) => ended.push(exitCode))
  return { stop, ended, heard, listen: () => stop.listen((reason) => heard.push(reason)) }
}

describe('a request to stop', () => {
  test('ends the process at once where nobody has anything to end in order', () => {
    const { stop, ended, heard, listen } = observed()
    listen()()
    stop.signalled('SIGTERM')
    stop.signalled('SIGINT')
    expect({ ended, heard }).toEqual({ ended: [143, 130], heard: [] })
  })

  test('is told to all who listen, and ends the process at once by a second signal', () => {
    const { stop, ended, heard, listen } = observed()
    listen()
    listen()
    stop.signalled('SIGINT')
    expect({ ended, heard, code: stop.exitCode }).toEqual({
      ended: [],
      heard: ['SIGINT', 'SIGINT'],
      code: 130,
    })
    stop.signalled('SIGTERM')
    expect({ ended, heard }).toEqual({ ended: [143], heard: ['SIGINT', 'SIGINT'] })
    expect(stop.exitCode).toBe(130)
  })

  test('reaches those who come later, once', async () => {
    const { stop, heard, listen } = observed()
    stop.request('failure')
    stop.request('SIGTERM')
    await stop.requested
    listen()
    expect(heard).toEqual(['failure'])
  })
})
