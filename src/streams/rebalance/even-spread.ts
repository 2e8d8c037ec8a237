import { FlowNetwork } from './min-cost-flow.ts'
import type { PlanTask } from './plan-types.ts'

/**
 * Puts every task into one place, evenly, and at the lowest cost that evenness allows.
 *
 * Evenly means: a place's fair share of the tasks of a subtopology is `tasks x its threads / all threads`, and it gets that
 * share rounded down or up. The same holds for all tasks together, and, where weights differ, for all tasks of at least any
 * given weight, so that the loads of two threads differ by at most the weight of one of the heaviest tasks.
 *
 * That all of these can hold at once, and which plan costs least, is a question of flow in a network:
 *
 *   source -> task ---------at its own price---------> (place, subtopology) -> (place, tasks of at least weight w)
 *               \-> subtopology at the price of elsewhere ->/                     -> ... of a lower weight ... -> sink
 *
 * Each edge from (place, subtopology) on has room for the share rounded up; and what goes beyond the share rounded down costs
 * more than all wishes together, so that as little as possible does. The fair shares themselves are a flow, if not one in
 * whole numbers; therefore one in whole numbers exists that keeps to all shares, and the cheapest flow is one of those.
 * Ties go by the order of tasks and places.
 */
export function spreadEvenly<P extends Place>(
  tasks: readonly PlanTask[],
  places: readonly P[],
  wishesOf: (task: PlanTask) => Wishes<P>,
): Map<P, PlanTask[]> {
  const [onlyPlace] = places
  if (onlyPlace === undefined) return new Map()
  if (places.length === 1) return new Map([[onlyPlace, [...tasks]]])
  const wishes = new Map(tasks.map((task) => [task, wishesOf(task)]))
  const network = new SpreadNetwork(tasks, places, wishes)
  return network.solve()
}

/** Something that takes tasks in proportion to its threads: a process, or one thread. */
export interface Place {
  readonly threads: number
}

/** What it costs to put a task into a place: integers >= 0. */
export interface Wishes<P extends Place> {
  readonly elsewhere: number
  /** Places that cost less than elsewhere. */
  readonly at: ReadonlyMap<P, number>
}

/** An edge and what flows through it. */
interface Way<P extends Place> {
  readonly edge: number
  readonly place: P
}

interface Stage<P extends Place> {
  readonly hub: number
  readonly tasks: readonly PlanTask[]
  /** From the hub to (place, subtopology). */
  readonly ways: Way<P>[]
  readonly cells: Map<P, number>
}

class SpreadNetwork<P extends Place> {
  readonly #network = new FlowNetwork()
  readonly #source = this.#network.addNode()
  readonly #sink = this.#network.addNode()
  readonly #places: readonly P[]
  readonly #tasks: readonly PlanTask[]
  readonly #threads: number
  readonly #beyondShare: number
  readonly #stages = new Map<number, Stage<P>>()
  /** From a task to (place, subtopology). */
  readonly #ways = new Map<PlanTask, Way<P>[]>()

  constructor(tasks: readonly PlanTask[], places: readonly P[], wishes: ReadonlyMap<PlanTask, Wishes<P>>) {
    this.#tasks = tasks
    this.#places = places
    this.#threads = places.reduce((sum, place) => sum + place.threads, 0)
    this.#beyondShare = 1 + [...wishes.values()].reduce((sum, { elsewhere }) => sum + elsewhere, 0)
    for (const [subtopology, group] of Map.groupBy(tasks, (task) => task.subtopology)) {
      this.#stages.set(subtopology, {
        hub: this.#network.addNode(),
        tasks: group,
        ways: [],
        cells: new Map(),
      })
    }
    for (const place of places) this.#addPlace(place)
    for (const task of tasks) this.#addTask(task, wishes.get(task))
  }

  #addPlace(place: P): void {
    const weights = [...new Set(this.#tasks.map(({ weight }) => weight))].toSorted((a, b) => a - b)
    const gates = new Map<number, number>()
    let lighter = this.#sink
    for (const weight of weights) {
      const gate = this.#network.addNode()
      this.#addShare(gate, lighter, place, this.#tasks.filter((task) => task.weight >= weight).length)
      gates.set(weight, gate)
      lighter = gate
    }
    for (const { hub, tasks, ways, cells } of this.#stages.values()) {
      const cell = this.#network.addNode()
      this.#addShare(cell, gates.get(tasks[0]?.weight ?? 0) ?? this.#sink, place, tasks.length)
      ways.push({ edge: this.#network.addEdge(hub, cell, tasks.length, 0), place })
      cells.set(place, cell)
    }
  }

  #addShare(from: number, to: number, place: P, taskCount: number): void {
    const down = Math.floor((taskCount * place.threads) / this.#threads)
    this.#network.addEdge(from, to, down, 0)
    const isWhole = (taskCount * place.threads) % this.#threads === 0
    if (!isWhole) this.#network.addEdge(from, to, 1, this.#beyondShare)
  }

  #addTask(task: PlanTask, wishes: Wishes<P> | undefined): void {
    const stage = this.#stages.get(task.subtopology)
    if (stage === undefined || wishes === undefined) return
    const node = this.#network.addNode()
    this.#network.addEdge(this.#source, node, 1, 0)
    const ways: Way<P>[] = []
    for (const place of this.#places) {
      const cost = wishes.at.get(place)
      const cell = stage.cells.get(place)
      if (cost === undefined || cell === undefined) continue
      ways.push({ edge: this.#network.addEdge(node, cell, 1, cost), place })
    }
    this.#ways.set(task, ways)
    this.#network.addEdge(node, stage.hub, 1, wishes.elsewhere)
  }

  solve(): Map<P, PlanTask[]> {
    this.#network.maximize(this.#source, this.#sink)
    const spread = new Map<P, PlanTask[]>(this.#places.map((place) => [place, []]))
    for (const { tasks, ways } of this.#stages.values()) {
      // Tasks that went through the hub are all the same to it: its places take them in turn.
      const free = ways.flatMap(({ edge, place }) =>
        Array.from({ length: this.#network.flow(edge) }, () => place),
      )
      for (const task of tasks) {
        const way = this.#ways.get(task)?.find(({ edge }) => this.#network.flow(edge) > 0)
        const place = way?.place ?? free.shift()
        if (place !== undefined) spread.get(place)?.push(task)
      }
    }
    return spread
  }
}
