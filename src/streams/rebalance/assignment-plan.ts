import { spreadEvenly, type Wishes } from './even-spread.ts'
import { coldest, type PlanProcess, processesOf } from './plan-process.ts'
import { compareTasks, type Plan, type PlanMember, type PlanSettings, type PlanTask } from './plan-types.ts'
import { planStandbys } from './standby-plan.ts'
import { type ProcessPlan, planThreads } from './thread-plan.ts'

/**
 * Who gets which task: a pure, deterministic function of what the members say.
 *
 *   1. Aims: tasks are spread evenly over the processes, in proportion to their threads (`even-spread.ts` says what that
 *      means). Of all even spreads it is one that takes the fewest tasks from their owners, and of those one with the least
 *      to restore: better to a warm store than to one being warmed up, to a stale one, to none.
 *   2. A stateful task whose aim is cold, while its owner or another process is warm, waits there. If nobody is warm, it
 *      goes to its aim at once.
 *   3. Standby tasks are spread over the other processes (`standby-plan.ts`).
 *   4. Of the tasks that wait, at most `maxWarmups` are warmed up at their aim, beside those that have a standby there anyway.
 *   5. What a process got is spread over its threads (`thread-plan.ts`).
 *
 * Invariants: every task is active exactly once, no process has two copies of a store, and where anything waits, some member
 * is told which store it shall report as warm. A plan never adds to the number of tasks that are away from an even spread,
 * and what has become warm makes its aim the cheaper one; so each plan that follows on a warmed store brings the group
 * nearer to its aim. Who comes again after a final plan with what it was given is given the same: to stay costs nothing, and
 * all else costs something.
 */
export function planAssignment(
  tasks: readonly PlanTask[],
  members: readonly PlanMember[],
  settings: PlanSettings,
): Plan {
  const sorted = tasks.toSorted((a, b) => compareTasks(a.id, b.id))
  const processes = processesOf(members, settings)
  const plans = new Map<PlanProcess, ProcessPlan>(
    processes.map((process) => [process, { active: [], standby: new Set(), awaited: new Set() }]),
  )
  const waiting = planActive(planAims(sorted, processes), plans, settings)
  const isWaitingForStandbys = planStandbys(sorted, plans, settings)
  warmUp(waiting, plans, settings)
  return {
    members: new Map([...plans].flatMap(([process, plan]) => planThreads(process, plan))),
    isFinal: waiting.length === 0 && !isWaitingForStandbys,
  }
}

type Plans = ReadonlyMap<PlanProcess, ProcessPlan>

/** A task that is to go to its aim once that is warm. */
interface Waiting {
  readonly task: PlanTask
  readonly aim: PlanProcess
}

/** Step 1. */
function planAims(
  tasks: readonly PlanTask[],
  processes: readonly PlanProcess[],
): Map<PlanProcess, PlanTask[]> {
  const knowing = new Map<string, PlanProcess[]>()
  for (const process of processes) {
    for (const task of process.knownTasks) {
      const others = knowing.get(task)
      if (others === undefined) knowing.set(task, [process])
      else others.push(process)
    }
  }
  // One move more is worse than all there is to restore.
  const move = 1 + coldest * tasks.length
  return spreadEvenly(tasks, processes, ({ id, isStateful }): Wishes<PlanProcess> => {
    const known = knowing.get(id) ?? []
    const price = known.some((process) => process.owns(id)) ? move : 0
    return {
      elsewhere: price + (isStateful ? coldest : 0),
      at: new Map(
        known.map((process) => [
          process,
          (process.owns(id) ? 0 : price) + (isStateful ? process.coldness(id) : 0),
        ]),
      ),
    }
  })
}

/** Step 2: puts the tasks into the plans, and returns those that wait. */
function planActive(
  aims: ReadonlyMap<PlanProcess, readonly PlanTask[]>,
  plans: Plans,
  { maxWarmups }: PlanSettings,
): Waiting[] {
  const waiting: Waiting[] = []
  for (const [aim, tasks] of aims) {
    for (const task of tasks) {
      const mustWarmUp = maxWarmups > 0 && task.isStateful && aim.takesStandbys && !aim.isWarm(task.id)
      if (mustWarmUp) waiting.push({ task, aim })
      else plans.get(aim)?.active.push(task)
    }
  }
  // After all others, so that the load of those who keep something for a while is known.
  return waiting.filter(({ task, aim }) => {
    const keeper = keeperOf(task.id, plans)
    plans.get(keeper ?? aim)?.active.push(task)
    return keeper !== null
  })
}

/** The owner, else the warm process with the least to do for its threads; null where nobody is warm. */
function keeperOf(task: string, plans: Plans): PlanProcess | null {
  let keeper: PlanProcess | null = null
  let lowestLoad = Number.POSITIVE_INFINITY
  for (const [process, { active }] of plans) {
    if (process.owns(task)) return process
    const load = active.length / process.threads
    if (!process.isWarm(task) || load >= lowestLoad) continue
    keeper = process
    lowestLoad = load
  }
  return keeper
}

/** Step 4. What is being warmed up goes on, then what has least to restore. */
function warmUp(waiting: readonly Waiting[], plans: Plans, { maxWarmups }: PlanSettings): void {
  const byColdness = waiting.toSorted(
    (a, b) => a.aim.coldness(a.task.id) - b.aim.coldness(b.task.id) || compareTasks(a.task.id, b.task.id),
  )
  let warmups = 0
  for (const { task, aim } of byColdness) {
    const plan = plans.get(aim)
    if (plan === undefined) continue
    if (!plan.standby.has(task)) {
      if (warmups === maxWarmups) continue
      warmups += 1
      plan.standby.add(task)
    }
    plan.awaited.add(task)
  }
}
