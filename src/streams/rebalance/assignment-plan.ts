/**
 * Who gets which task: a pure, deterministic function of what the members say.
 *
 * Every task goes to exactly one member; the numbers of tasks of any two members differ by at most one, in all and, as far as
 * that allows, in each subtopology. A task stays with its owner, else goes to a member that has its store on disk, as far
 * as balance allows. Members that come again with what they were given are given it again.
 */
export interface PlanMember {
  readonly memberId: string
  /** Tasks that the member holds now. */
  readonly ownedTasks: readonly string[]
  /** Tasks whose store the member has on disk. */
  readonly storedTasks: readonly string[]
}

interface Load {
  readonly member: PlanMember
  readonly tasks: string[]
  readonly bySubtopology: Map<string, number>
}

type Plan = ReadonlyMap<string, readonly string[]>

/** Tasks by member id, each list sorted. `tasks` are ids such as `0_3`. */
export function planAssignment(tasks: readonly string[], members: readonly PlanMember[]): Plan {
  let plan = standingPlan(tasks, members) ?? planAnew(tasks, members)
  // What is planned anew may crowd a subtopology where room ran out. To plan on from there may mend it, and a plan that this
  // does not make better is what the same members will come back with: so it ends in one that stays.
  for (;;) {
    const owners = plan
    const next = planAnew(
      tasks,
      members.map((member) => ({ ...member, ownedTasks: owners.get(member.memberId) ?? [] })),
    )
    if (crowding(next, tasks) >= crowding(plan, tasks)) return plan
    plan = next
  }
}

/** What the members own, if that is every task once in equal numbers; else null. */
function standingPlan(tasks: readonly string[], members: readonly PlanMember[]): Plan | null {
  const owned = members.flatMap(({ ownedTasks }) => ownedTasks)
  const isComplete = owned.length === tasks.length && tasks.every((task) => owned.includes(task))
  const counts = members.map(({ ownedTasks }) => ownedTasks.length)
  if (!isComplete || Math.max(...counts) - Math.min(...counts) > 1) return null
  return new Map(members.map(({ memberId, ownedTasks }) => [memberId, ownedTasks.toSorted(compare)]))
}

/** Tasks that a member holds above its share of their subtopology, over all members. */
function crowding(plan: Plan, tasks: readonly string[]): number {
  const shareOf = shares(tasks, plan.size)
  let above = 0
  for (const mine of plan.values()) {
    for (const [subtopology, share] of shareOf) {
      above += Math.max(0, mine.filter((task) => subtopologyOf(task) === subtopology).length - share)
    }
  }
  return above
}

function planAnew(tasks: readonly string[], members: readonly PlanMember[]): Plan {
  const loads: Load[] = members
    .toSorted((a, b) => compare(a.memberId, b.memberId))
    .map((member) => ({ member, tasks: [], bySubtopology: new Map() }))
  if (loads.length === 0) return new Map()
  // Stateful subtopologies come last in a topology and weigh most: they choose first.
  const open = new Set(tasks.toSorted((a, b) => compare(b, a)))
  const lowest = Math.floor(tasks.length / loads.length)
  let aboveLowest = tasks.length % loads.length
  const hasRoom = (load: Load): boolean =>
    load.tasks.length < lowest || (load.tasks.length === lowest && aboveLowest > 0)
  const give = (load: Load, task: string): void => {
    if (load.tasks.length === lowest) aboveLowest -= 1
    const subtopology = subtopologyOf(task)
    load.tasks.push(task)
    load.bySubtopology.set(subtopology, (load.bySubtopology.get(subtopology) ?? 0) + 1)
    open.delete(task)
  }
  const shareOf = shares(tasks, loads.length)
  const hasShare = (load: Load, task: string): boolean =>
    (load.bySubtopology.get(subtopologyOf(task)) ?? 0) < (shareOf.get(subtopologyOf(task)) ?? 0)

  for (const wishes of ['ownedTasks', 'storedTasks'] as const) {
    for (const load of loads) {
      for (const task of load.member[wishes].toSorted((a, b) => compare(b, a))) {
        if (open.has(task) && hasRoom(load) && hasShare(load, task)) give(load, task)
      }
    }
  }
  for (const task of [...open]) {
    const takers = loads.filter(hasRoom)
    takers.sort((a, b) => lessLoaded(a, b, subtopologyOf(task)))
    const taker = takers[0]
    if (taker !== undefined) give(taker, task)
  }
  return new Map(loads.map(({ member, tasks }) => [member.memberId, tasks.toSorted(compare)]))
}

/** How many tasks of each subtopology a member may hold at the most. */
function shares(tasks: readonly string[], memberCount: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (const task of tasks) counts.set(subtopologyOf(task), (counts.get(subtopologyOf(task)) ?? 0) + 1)
  return new Map([...counts].map(([subtopology, count]) => [subtopology, Math.ceil(count / memberCount)]))
}

function lessLoaded(a: Load, b: Load, subtopology: string): number {
  return (
    (a.bySubtopology.get(subtopology) ?? 0) - (b.bySubtopology.get(subtopology) ?? 0) ||
    a.tasks.length - b.tasks.length ||
    compare(a.member.memberId, b.member.memberId)
  )
}

function subtopologyOf(task: string): string {
  return task.slice(0, task.indexOf('_'))
}

/** By code unit, numbers within by value, so that `0_10` comes after `0_9`. */
function compare(a: string, b: string): number {
  if (a.length !== b.length && /^\d+_\d+$/.test(a) && /^\d+_\d+$/.test(b)) {
    const [subtopologyA, partitionA] = a.split('_').map(Number)
    const [subtopologyB, partitionB] = b.split('_').map(Number)
    return (subtopologyA ?? 0) - (subtopologyB ?? 0) || (partitionA ?? 0) - (partitionB ?? 0)
  }
  return a < b ? -1 : a > b ? 1 : 0
}
