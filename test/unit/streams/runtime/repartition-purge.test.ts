import { describe, expect, it } from 'vitest'
import { CodedError, type ErrorCode } from '../../../../src/errors.ts'
import type { TopicPartition } from '../../../../src/ports/kafka.ts'
import { purgeRepartitionTopics } from '../../../../src/streams/runtime/repartition-purge.ts'
import type { StreamTask } from '../../../../src/streams/task/stream-task.ts'
import type { TaskEnvironment } from '../../../../src/streams/task/task-environment.ts'
import type { Topology } from '../../../../src/streams/topology/topology.ts'

const source = (topic: string, role: 'external' | 'repartition') => ({ name: topic, topic, role })
const part = (sources: unknown[]) => ({ sources, processors: [], sinks: [], store: null })
const topology = {
  applicationId: 'app',
  subtopologies: [part([source('in', 'external')]), part([source('between', 'repartition')])],
} as unknown as Topology

const task = (state: string, topic: string, partition: number, offset: number) =>
  ({ state, committedOffsets: () => [{ partition: { topic, partition }, offset }] }) as unknown as StreamTask

function environment(failure: ErrorCode | null) {
  const deleted: { partition: TopicPartition; offset: number }[][] = []
  const messages: string[] = []
  const admin = {
    async deleteRecords(below: { partition: TopicPartition; offset: number }[]) {
      deleted.push(below)
      if (failure !== null) throw new CodedError(failure, { operation: 'DeleteRecords' })
    },
  }
  const log = { info: (_: object, message: string) => messages.push(message) }
  const it = { topology, kafka: { admin }, log } as unknown as TaskEnvironment
  return { environment: it, deleted, messages }
}

describe('the purge of repartition topics', () => {
  const tasks = [
    task('running', 'between', 0, 7),
    task('running', 'between', 1, 0),
    task('restoring', 'between', 2, 9),
    task('running', 'in', 0, 5),
  ]

  it('deletes what running tasks have committed of them, and nothing of the input', async () => {
    const { environment: it, deleted } = environment(null)
    await purgeRepartitionTopics(it, tasks)
    expect(deleted).toEqual([[{ partition: { topic: 'between', partition: 0 }, offset: 7 }]])
  })

  it('leaves what a new leader, whose high watermark is behind, refuses to delete', async () => {
    const { environment: it, messages } = environment('OFFSET_OUT_OF_RANGE')
    await purgeRepartitionTopics(it, tasks)
    expect(messages).toHaveLength(1)
  })

  it('fails where it has no right to delete', async () => {
    const { environment: it } = environment('AUTHORIZATION_FAILED')
    await expect(purgeRepartitionTopics(it, tasks)).rejects.toMatchObject({ code: 'AUTHORIZATION_FAILED' })
  })
})
