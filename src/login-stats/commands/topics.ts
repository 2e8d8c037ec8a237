import { Command } from 'commander'
import { type CommandContext, type Invocation, printJson } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { wholeNumber } from './option-values.ts'

interface Options {
  readonly partitions: number
  readonly json?: true
}

interface TopicRow {
  readonly topic: string
  readonly partitions: number
  readonly made: boolean
}

export function topicsCommand({ context, finish }: Invocation): Command {
  const create = new Command('create')
    .description('Make the topics that are missing; those that exist are checked and left as they are')
    .option('--partitions <number>', 'partitions of the input, if it is missing', wholeNumber(1, 10_000), 4)
    .option('--json', 'print the topics as JSON')
    .action(async (options: Options) => {
      const rows = await createTopics(context, options.partitions)
      if (options.json) printJson(context, rows)
      else
        for (const { topic, partitions, made } of rows)
          context.out.write(`${made ? 'made   ' : 'exists '} ${topic} (${partitions} partitions)\n`)
      warnOfOtherCount(
        context,
        rows[0],
        create.getOptionValueSource('partitions') === 'cli' ? options.partitions : null,
      )
      finish(exitCodes.ok)
    })
  return new Command('topics').description('Topics of the processor').addCommand(create)
}

/** An input that exists keeps its partitions, whatever was asked for. */
function warnOfOtherCount(context: CommandContext, input: TopicRow | undefined, asked: number | null): void {
  if (input === undefined || asked === null || input.partitions === asked) return
  context.err.write(`${input.topic} exists with ${input.partitions} partitions and stays so.\n`)
}

/** Makes the topics that are missing, the input with `partitionCount`. */
export async function createTopics(context: CommandContext, partitionCount: number): Promise<TopicRow[]> {
  const [{ setUpTopics, topicNames }, { topologyOf }, { withKafka }] = await Promise.all([
    import('../../streams/index.ts'),
    import('../topology.ts'),
    import('./session.ts'),
  ])
  return withKafka(context, 'topics', async ({ config, kafka: { admin } }) => {
    const { inputTopic, insightsTopic, replicationFactor, minInsyncReplicas, statsPartitions } = config
    const topology = topologyOf(config)
    const names = [...topicNames(topology), ...(insightsTopic === null ? [] : [insightsTopic])]
    const before = await admin.topics(names)
    const minIsr = minInsyncReplicas === null ? {} : { 'min.insync.replicas': String(minInsyncReplicas) }
    const ownTopics = [
      { name: inputTopic, partitionCount },
      ...(insightsTopic === null ? [] : [{ name: insightsTopic, partitionCount: 1 }]),
    ].filter(({ name }) => !before.has(name))
    if (ownTopics.length > 0)
      await admin.createTopics(ownTopics.map((topic) => ({ ...topic, replicationFactor, config: minIsr })))
    await setUpTopics(admin, context.clock, topology, {
      replicationFactor,
      minInsyncReplicas,
      keyedPartitions: statsPartitions,
    })
    const after = await admin.topics(names)
    return [...after.values()].map(({ name, partitionCount: partitions }) => ({
      topic: name,
      partitions,
      made: !before.has(name),
    }))
  })
}
