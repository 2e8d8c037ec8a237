import { afterAll, afterEach, expect } from 'vitest'
import { type LocalKafka, startLocalKafka } from '../../src/local-kafka/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { haveSettled, type Instance, type LogLine, wipes } from '../support/instance.ts'
import { expectStoresAgree } from '../support/store-check.ts'
import { UnderLoad } from '../support/under-load.ts'
import { allInSync, coordinatorOf, leaderOf } from '../support/whereabouts.ts'

const row = 'three brokers: leader, coordinator killed'
const partitionCount = 4
const taskIds = [0, 1].flatMap((stage) =>
  Array.from({ length: partitionCount }, (_, partition) => `${stage}_${partition}`),
)
/**
 * The brokers take 4 s until they miss one, and about as long to have another leader and controller; and twice that for a
 * machine that is busy.
 */
const gapLimitMs = 20_000
/** A broker may be back before the others have missed it, or long after. */
const longestDownMs = 15_000

/** The broker to kill. */
type Victim = (application: Application, partition: number) => Promise<number>

const victims: Readonly<Record<string, Victim>> = {
  'leader of an input partition': ({ config }, partition) =>
    leaderOf(config.brokers, config.inputTopic, partition),
  'leader of a changelog partition': ({ config }, partition) =>
    leaderOf(config.brokers, `${config.appId}-counts-changelog`, partition),
  'group coordinator': ({ config }) => coordinatorOf(config.brokers, 'group', config.appId),
  'transaction coordinator of a counting task': ({ config }, partition) =>
    coordinatorOf(config.brokers, 'transaction', `${config.appId}-1_${partition}`),
}

let cluster: Promise<LocalKafka> | null = null

afterEach(() => UnderLoad.close())

afterAll(async () => {
  await (await cluster)?.close()
})

/** One cluster for all rounds: replication factor 3, min.insync.replicas 2. After a failed round it may not be whole. */
async function wholeCluster(): Promise<LocalKafka> {
  cluster ??= startLocalKafka({ brokers: 3, sources: ['maven'] })
  const kafka = await cluster
  await Promise.all(kafka.brokers.map((broker) => broker.start()))
  return kafka
}

for (const [name, victimOf] of Object.entries(victims)) {
  faultRounds(row, name, { short: 0, long: 5, timeoutMs: 300_000 }, (round) => killRound(round, victimOf))
}

async function killRound({ random, seed }: Round, victimOf: Victim): Promise<Figures> {
  const kafka = await wholeCluster()
  const application = new Application('three-brokers', { KAFKA_BROKERS: kafka.bootstrapServers })
  const scene = await UnderLoad.start(application, { seed, partitionCount })
  const instances = [application.start(), application.start()]
  await haveSettled(instances, taskIds.length)
  await allInSync(application.config.brokers)
  scene.watchProgress()
  await systemClock.sleep(1000 + 2000 * random.next())

  const victim = kafka.broker(await victimOf(application, random.below(partitionCount)))
  const downMs = longestDownMs * random.next()
  const killedAt = systemClock.now()
  await victim.kill()
  await systemClock.sleep(downMs)
  await victim.start()
  const returnedAt = systemClock.now()
  await Promise.all(taskIds.map((id) => commitOf(instances, id, returnedAt)))
  const gapMs = Math.max(...taskIds.map((id) => longestGapMs(instances, id, killedAt)))
  console.log(
    `Broker ${victim.id} away for ${returnedAt - killedAt} ms; a task without a commit for ${gapMs} ms`,
  )
  expect(gapMs).toBeLessThanOrEqual(gapLimitMs)
  const { figures } = await scene.expectExact(1)
  for (const instance of instances) {
    expect(wipes(instance), instance.tail()).toEqual([])
    // The same processes all the time.
    expect(await instance.stop(), instance.tail()).toBe(0)
  }
  await expectStoresAgree(application)
  return figures
}

/** Waits for a commit of the task, by whoever has it, at `since` or later. */
async function commitOf(instances: readonly Instance[], id: string, since: number): Promise<void> {
  const isCommit = ({ msg, task, time }: LogLine) => msg === 'Committed' && task === id && time >= since
  await Promise.any(instances.map((instance) => instance.line(`${id} commits`, isCommit)))
}

/** The longest time between two commits of the task, of which the second came after `since`. */
function longestGapMs(instances: readonly Instance[], id: string, since: number): number {
  const commits = instances.flatMap((instance) => instance.lines('Committed'))
  const times = commits.filter(({ task }) => task === id).map(({ time }) => time)
  times.sort((a, b) => a - b)
  return Math.max(...times.map((time, index) => (time < since ? 0 : time - (times[index - 1] ?? time))))
}
