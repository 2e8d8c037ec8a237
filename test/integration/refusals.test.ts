import { afterEach, expect, test } from 'vitest'
import { runKafkaTool } from '../../src/local-kafka/index.ts'
import { Application } from '../support/application.ts'
import { killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

/** An application that has counted some logins and stopped. */
async function countedApplication(name: string, settings: Record<string, string> = {}) {
  application = new Application(name, settings)
  await application.createInput(2)
  const logins = await application.produceLogins(10_000)
  const instance = application.start()
  await expectExact(application, countOf(logins))
  expect(await instance.stop()).toBe(0)
  return logins
}

/** The error code with which a start ends. */
async function refusal(settings: Record<string, string> = {}): Promise<string> {
  const instance = application.start(settings)
  expect(await instance.exited, instance.tail()).toBe(1)
  const error = instance.log.findLast(({ code }) => code !== undefined)
  return `${String(error?.msg)}`
}

test('a clean restart restores nothing', async () => {
  await countedApplication('clean-restart')
  const instance = application.start()
  await instance.line('restored', ({ msg }) => msg === 'Store restored')
  await application.counted()
  for (const line of instance.lines('Store restored')) expect(line.restoredRecords).toBe(0)
  expect(await instance.stop()).toBe(0)
})

test('changed dimensions over existing state are refused, by name and with what to do', async () => {
  await countedApplication('fingerprint')
  const message = await refusal({ DIMENSIONS: 'locale,device_type' })
  expect(message).toContain('FINGERPRINT_MISMATCH')
  expect(message).toContain('DIMENSIONS is locale,device_type')
  expect(message).toContain('reset')
})

test('an instance with other settings does not disturb a running group', async () => {
  const logins = await countedApplication('fingerprint-running')
  const instance = application.start()
  await instance.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  expect(await refusal({ ROLLING_PANES: '30' })).toContain('FINGERPRINT_MISMATCH')
  const more = await application.produceLogins(5000, { seed: 3 })
  await expectExact(application, countOf([...logins, ...more]))
  expect(instance.lines('Tasks assigned')).toHaveLength(1)
})

test('a second process in the same state directory takes a slot of its own', async () => {
  const logins = await countedApplication('two-slots')
  const first = application.start()
  await first.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  const second = application.start()
  await second.line(
    'tasks assigned',
    ({ msg, assigned }) => msg === 'Tasks assigned' && (assigned as string[]).length > 0,
  )
  const more = await application.produceLogins(5000, { seed: 4 })
  await expectExact(application, countOf([...logins, ...more]))
  expect(await first.stop()).toBe(0)
  expect(await second.stop()).toBe(0)
})

test('offsets that the group has lost stop the start', async () => {
  await countedApplication('offset-lost')
  // What Kafka does when a group has been without members for offsets.retention.minutes.
  await application.kafka.admin.deleteGroup(application.config.appId)
  expect(await refusal()).toContain('OFFSET_LOST')
})

test('offsets that the group has lost stop the start where no login was ever valid: dead letters would stand twice', async () => {
  application = new Application('offset-lost-letters')
  await application.createInput(2)
  const logins = await application.produceLogins(100, { invalidShare: 1 })
  const instance = application.start()
  await expectExact(application, countOf(logins))
  expect(await instance.stop()).toBe(0)
  await application.kafka.admin.deleteGroup(application.config.appId)
  expect(await refusal()).toContain('OFFSET_LOST')
})

test('an offset that something else has moved back stops the start, with the offset to put back', async () => {
  await countedApplication('offset-moved')
  const { appId, inputTopic, brokers } = application.config
  const group = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
  const which = ['--bootstrap-server', brokers.join(','), '--group', appId, '--topic', `${inputTopic}:0`]
  const moved = await runKafkaTool(group, [...which, '--reset-offsets', '--to-offset', '7', '--execute'])
  expect(moved.exitCode, moved.stderr).toBe(0)
  const message = await refusal()
  expect(message).toContain('OFFSET_MISMATCH')
  expect(message).toMatch(/committed offset is 7; the state has counted up to \d{4}/)
})

test('a recreated input topic stops the start', async () => {
  await countedApplication('recreated')
  await application.kafka.admin.deleteTopics([application.config.inputTopic])
  await application.createInput(2)
  await application.produceLogins(20_000, { seed: 5 })
  expect(await refusal()).toContain('TOPIC_RECREATED')
})

test('an input that was counted stops the start where all that tells of the counts has been deleted', async () => {
  await countedApplication('internal-topics-gone')
  const { appId } = application.config
  const repartition = `${appId}-counts-repartition`
  await application.kafka.admin.deleteTopics([repartition, `${appId}-counts-changelog`])
  const message = await refusal()
  expect(message).toContain('TOPIC_RECREATED')
  expect(message).toContain(repartition)
  // The first refusal has made the topics again.
  expect(await refusal()).toContain('TOPIC_RECREATED')
})

test('a missing input topic stops the start', async () => {
  application = new Application('no-input')
  expect(await refusal()).toContain('TOPIC_MISSING')
})

test('a table topic of the wrong clean-up policy is refused, with what was found and what is expected', async () => {
  application = new Application('wrong-policy')
  await application.createInput(2)
  await application.kafka.admin.createTopics([
    {
      name: application.config.outputTopic,
      partitionCount: 2,
      replicationFactor: -1,
      config: { 'cleanup.policy': 'delete' },
    },
  ])
  const message = await refusal()
  expect(message).toContain('TOPIC_MISMATCH')
  expect(message).toContain(application.config.outputTopic)
  expect(message).toContain('cleanup.policy=delete')
  expect(message).toContain('cleanup.policy=compact')
})

test('a table topic of the wrong partition count is refused', async () => {
  application = new Application('wrong-partitions')
  await application.createInput(2)
  await application.kafka.admin.createTopics([
    {
      name: application.config.outputTopic,
      partitionCount: 3,
      replicationFactor: -1,
      config: { 'cleanup.policy': 'compact' },
    },
  ])
  expect(await refusal()).toContain('TOPIC_MISMATCH')
})
