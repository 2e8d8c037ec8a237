import { expect, test } from 'vitest'
import { GroupTasks } from '../../../../src/login-stats/http/group-tasks.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { KafkaAdmin } from '../../../../src/ports/kafka.ts'
import type { Topology } from '../../../../src/streams/index.ts'

test('who asks for the tasks while Kafka is silent is told so soon, also if nobody has asked before', async () => {
  let sleptMs = 0
  const clock: Partial<Clock> = {
    monotonic: () => sleptMs,
    sleep: async (delayMs) => {
      sleptMs += delayMs
    },
  }
  const silent: Partial<KafkaAdmin> = { describeGroup: () => new Promise(() => undefined) }
  const tasks = new GroupTasks({
    ...{ admin: silent as KafkaAdmin, clock: clock as Clock, instance: 'this', status: () => [] },
    topology: { applicationId: 'group', subtopologies: [] } as unknown as Topology,
  })
  for (let asked = 1; asked <= 2; asked++) {
    await expect(tasks.tasks()).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE', behaviour: 'retry' })
    expect(sleptMs).toBe(asked * 2000)
  }
})
