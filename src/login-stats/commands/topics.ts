import { Command } from 'commander'
import { progressTopic } from '../dead-letters/topics.ts'
import { counted } from '../format.ts'
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
          context.out.write(
            `${made ? 'made   ' : 'exists '} ${topic} (${counted(partitions, 'partition')})\n`,
          )
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
  context.err.write(`${input.topic} exists with ${counted(input.partitions, 'partition')} and stays so.\n`)
}

/** Makes the topics that are missing, the input with `partitionCount`; the first row is the input. */
export async function createTopics(context: CommandContext, partitionCount: number): Promise<TopicRow[]> {
  const [{ newTopic, setUpTopics, topicNames }, { setUpProgress }, { topologyOf }, { withKafka }] =
    await Promise.all([
      import('../../streams/index.ts'),
      import('../dead-letters/known-progress.ts'),
      import('../topology.ts'),
      import('./session.ts'),
    ])
  return withKafka(context, 'topics', async ({ config, kafka: { admin } }) => {
    const { inputTopic, insightsTopic, replicationFactor, minInsyncReplicas, statsPartitions } = config
    const topology = topologyOf(config)
    // The input first, whichever way the topology has them.
    const names = [...new Set([inputTopic, ...topicNames(topology)])]
    if (insightsTopic !== null) names.push(insightsTopic)
    if (config.dlqTopic !== null) names.push(progressTopic(config))
    const before = await admin.topics(names)
    const ownTopics = [
      newTopic(inputTopic, partitionCount, config),
      ...(insightsTopic === null ? [] : [newTopic(insightsTopic, 1, config)]),
    ].filter(({ name }) => !before.has(name))
    if (ownTopics.length > 0) await admin.createTopics(ownTopics)
    await setUpTopics(admin, context.clock, topology, {
      replicationFactor,
      minInsyncReplicas,
      keyedPartitions: statsPartitions,
    })
    if (config.dlqTopic !== null) await setUpProgress(admin, config)
    const after = await admin.topics(names)
    // The broker tells them in an order of its own.
    return names.flatMap((name) => {
      const found = after.get(name)
      return found === undefined
        ? []
        : [{ topic: name, partitions: found.partitionCount, made: !before.has(name) }]
    })
  })
}
