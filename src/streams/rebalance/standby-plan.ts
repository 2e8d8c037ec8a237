import { FlowNetwork } from './min-cost-flow.ts'
import { coldest, type PlanProcess } from './plan-process.ts'
import { compareIds, type PlanSettings, type PlanTask } from './plan-types.ts'
import type { ProcessPlan } from './thread-plan.ts'

/**
 * Which processes keep a warm copy of a store beside the active one.
 *
 * Invariants: a task has `standbyReplicas` copies, or one in each other process that takes standbys if those are fewer; no
 * process has two copies of a store. The numbers of copies are as even over the processes, in proportion to their threads, as
 * the places of the active tasks allow; of the plans that are equally even it is one with the fewest new copies, and of
 * those the one with the least to restore.
 *
 * A copy that is warm is not given up for one that is still cold: it is kept beside it until that one is warm, and then the
 * next plan drops it.
 *
 * A flow again: source -> task (as many as it needs copies) -> each process it may be in (one) -> sink, where each further
 * copy in a process costs more than the one before.
 *
 * Puts the copies into the plans, which hold the active tasks already. Returns whether a cold copy is waited for.
 */
export function planStandbys(
  tasks: readonly PlanTask[],
  plans: ReadonlyMap<PlanProcess, ProcessPlan>,
  { standbyReplicas }: PlanSettings,
): boolean {
  const takers = [...plans.keys()].filter((process) => process.takesStandbys)
  const stateful = tasks.filter(({ isStateful }) => isStateful)
  if (standbyReplicas === 0 || takers.length === 0) return false
  const activeAt = new Map(
    [...plans].flatMap(([process, { active }]) => active.map((task) => [task, process])),
  )
  const placesOf = (task: PlanTask): PlanProcess[] =>
    takers.filter((process) => process !== activeAt.get(task))
  let isWaiting = false
  for (const [task, copies] of spreadCopies(stateful, takers, placesOf, standbyReplicas)) {
    const cold = copies.filter((process) => !process.isWarm(task.id))
    const kept = placesOf(task)
      .filter((process) => process.isWarm(task.id) && !copies.includes(process))
      .toSorted((a, b) => price(a, task.id, 1) - price(b, task.id, 1) || compareIds(a.id, b.id))
      .slice(0, cold.length)
    for (const process of [...copies, ...kept]) plans.get(process)?.standby.add(task)
    if (kept.length === 0) continue
    isWaiting = true
    for (const process of cold) plans.get(process)?.awaited.add(task)
  }
  return isWaiting
}

/** What a copy adds to the height of a process of one thread: a number that most numbers of threads divide. */
const heightOfCopy = 840

/** The processes of each task's copies. */
function spreadCopies(
  tasks: readonly PlanTask[],
  takers: readonly PlanProcess[],
  placesOf: (task: PlanTask) => readonly PlanProcess[],
  replicas: number,
): Map<PlanTask, PlanProcess[]> {
  const places = new Map(tasks.map((task) => [task, placesOf(task)]))
  const wanted = [...places.values()].reduce((sum, { length }) => sum + Math.min(replicas, length), 0)
  const threads = takers.reduce((sum, process) => sum + process.threads, 0)
  // The most even spread has the lowest top. Edges above it are of no use, but only a flow tells how high it is.
  for (let highest = Math.ceil(wanted / threads) + 1; ; highest *= 2) {
    const network = new FlowNetwork()
    const source = network.addNode()
    const sink = network.addNode()
    const nodes = new Map(takers.map((process) => [process, network.addNode()]))
    const newCopy = 1 + coldest * wanted
    const ways = [...places].map(([task, takersOfTask]) => {
      const node = network.addNode()
      network.addEdge(source, node, Math.min(replicas, takersOfTask.length), 0)
      const edges = takersOfTask.map((process) =>
        network.addEdge(node, nodes.get(process) ?? sink, 1, price(process, task.id, newCopy)),
      )
      return { task, takersOfTask, edges }
    })
    const unevenness = 1 + (newCopy + coldest) * wanted
    for (const [process, node] of nodes) {
      for (let copy = 1; copy <= highest * process.threads; copy += 1)
        network.addEdge(node, sink, 1, unevenness * Math.round((heightOfCopy * copy) / process.threads))
    }
    if (network.maximize(source, sink) < wanted) continue
    return new Map(
      ways.map(({ task, takersOfTask, edges }) => [
        task,
        takersOfTask.filter((_, index) => network.flow(edges[index] ?? -1) > 0),
      ]),
    )
  }
}

/** What a copy costs in a process: `newCopy` more where there is none yet. */
function price(process: PlanProcess, task: string, newCopy: number): number {
  if (process.isStandby(task)) return process.isWarm(task) ? 0 : 1
  return newCopy + process.coldness(task)
}
