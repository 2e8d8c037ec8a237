import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { courseOf, type Events, spanMs, sum } from '../../../bench/measure/course.ts'
import { valuesOfPhase } from '../../../bench/measure/phase.ts'

const nothing: Events = {
  ...{ startedAt: 1000, endedAt: 1000 + 4 * spanMs, backlog: 50 },
  ...{ counted: [], probes: [], commits: [], memory: [] },
}

describe('courseOf', () => {
  it('has figures for every span, and none where nothing happened', () => {
    const course = courseOf({
      ...nothing,
      counted: [
        { time: 1000 + spanMs, logins: 20 },
        { time: 1001 + spanMs, logins: 10 },
        { time: 1000 + 3 * spanMs, logins: 20 },
      ],
      probes: [
        { sentAt: 1010, latencyMs: 30 },
        { sentAt: 1020, latencyMs: 10 },
        { sentAt: 1030, latencyMs: 20.04 },
      ],
      commits: [
        { time: 1000 + spanMs, logins: 30 },
        { time: 1001 + spanMs, logins: 0 },
      ],
      memory: [
        { time: 1000, bytes: 4e6 },
        { time: 1100, bytes: 5e6 },
      ],
    })
    const none = {
      ...{ p50Ms: null, maxMs: null, commitsPerSecond: 0, loginsPerCommit: null, largestCommit: null },
      rssMB: null,
    }
    expect(course).toEqual([
      { ...none, seconds: 0, backlogLeft: 50, p50Ms: 20, maxMs: 30, rssMB: 5 },
      {
        ...none,
        seconds: 0.25,
        backlogLeft: 20,
        commitsPerSecond: 8,
        loginsPerCommit: 15,
        largestCommit: 30,
      },
      { ...none, seconds: 0.5, backlogLeft: 20 },
      { ...none, seconds: 0.75, backlogLeft: 0 },
    ])
  })

  it('leaves out what comes after the end, and a last span that is not whole', () => {
    const course = courseOf({
      ...nothing,
      endedAt: nothing.startedAt + 2.5 * spanMs,
      commits: [{ time: nothing.startedAt + 2.2 * spanMs, logins: 1 }],
    })
    expect(course).toHaveLength(2)
    expect(course.map(({ commitsPerSecond }) => commitsPerSecond)).toEqual([0, 0])
  })

  it('loses no login and no commit of its time', () => {
    const event = fc.record({ time: fc.integer({ min: 1000, max: 999 + 4 * spanMs }), logins: fc.nat(1000) })
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const backlog = sum(events)
        const course = courseOf({ ...nothing, backlog, counted: events, commits: events })
        expect(course.at(-1)?.backlogLeft).toBe(0)
        const commits = course.map(({ commitsPerSecond }) => (commitsPerSecond * spanMs) / 1000)
        expect(commits.reduce((total, count) => total + count, 0)).toBe(events.length)
      }),
    )
  })
})

describe('valuesOfPhase', () => {
  const probes = [
    { sentAt: 1000, latencyMs: 10 },
    { sentAt: 1999, latencyMs: 90 },
    { sentAt: 2000, latencyMs: 5 },
  ]
  const commits = [
    { time: 1500, logins: 100 },
    { time: 1600, logins: 300 },
    { time: 2000, logins: 1 },
  ]

  it('takes what lies within, the beginning included', () => {
    expect(valuesOfPhase({ probes, commits }, { name: 'backlog', from: 1000, to: 2000 })).toEqual({
      ...{ backlogP50Ms: 10, backlogP99Ms: 90 },
      ...{ backlogCommitsPerSecond: 2, backlogLoginsPerCommit: 200 },
    })
  })

  it('leaves out what is not known', () => {
    const values = valuesOfPhase({ probes: [], commits: [] }, { name: 'after', from: 3000, to: 4000 })
    expect(values).toEqual({ afterCommitsPerSecond: 0 })
  })
})
