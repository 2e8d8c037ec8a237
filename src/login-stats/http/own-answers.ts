/** What one instance answers, and where it knows it from: the table that it follows, the group as Kafka describes it, its own processor. */
import { systemClock } from '../../system/clock.ts'
import type { Config } from '../config/index.ts'
import type { FollowedTable } from '../follow/followed-table.ts'
import { Summaries } from '../follow/summary.ts'
import { insightsOf } from '../insights/insights.ts'
import type { Processor } from '../processor.ts'
import { whyNotReady } from '../readiness.ts'
import type { Answers } from './answers.ts'
import type { GroupTasks } from './group-tasks.ts'

export function ownAnswers({
  config,
  tasks,
  followed,
  processor,
}: {
  readonly config: Config
  readonly tasks: GroupTasks
  readonly followed: FollowedTable
  readonly processor: Processor
}): Answers {
  const summaries = new Summaries(systemClock, config.dimensions)
  const counted = {
    dimensions: config.dimensions.map(({ name }) => name),
    windows: config.rollingWindows.map(({ name }) => name),
  }
  return {
    counted,
    summary: (following, options) => summaries.of(following, options),
    complete: () => followed.complete(),
    begin: () => followed.begin(),
    hold: () => followed.hold(),
    tasks: () => tasks.tasks(),
    report: async () => tasks.report(),
    insights: async () => {
      const following = await followed.complete()
      return await following.scans.run('insights', () =>
        insightsOf(following, systemClock, processor.instanceId),
      )
    },
    readiness: () => {
      const reasons = whyNotReady(processor)
      return { status: reasons.length === 0 ? 'ok' : 'not ready', reasons }
    },
  }
}
