/**
 * Minimum-cost maximum flow through a network of integer capacities and integer costs >= 0: primal-dual, that is, shortest
 * distances by cost (with a queue, since residual edges cost less than nothing), then all the flow that goes along shortest
 * paths at once (Dinic's blocking flow), until the sink is out of reach.
 *
 * Invariants: edge `e` and its residual `e ^ 1` are neighbours; the room of the one grows as that of the other shrinks; no
 * cycle of residual edges costs less than nothing. The result depends only on the order in which nodes and edges were added.
 * The sum of costs along a path must stay below 2^53.
 */
export class FlowNetwork {
  /** Edge ids by the node they leave. */
  readonly #leaving: number[][] = []
  readonly #head: number[] = []
  readonly #room: number[] = []
  readonly #cost: number[] = []

  addNode(): number {
    return this.#leaving.push([]) - 1
  }

  /** Returns the edge's id. */
  addEdge(from: number, to: number, capacity: number, cost: number): number {
    const edge = this.#head.push(to) - 1
    this.#room.push(capacity, 0)
    this.#cost.push(cost, -cost)
    this.#head.push(from)
    this.#leaving[from]?.push(edge)
    this.#leaving[to]?.push(edge + 1)
    return edge
  }

  /** What flows through an edge since `maximize`. */
  flow(edge: number): number {
    return this.#room[edge ^ 1] ?? 0
  }

  /** Sends as much as can flow from source to sink, at the lowest cost. Returns how much that is. */
  maximize(source: number, sink: number): number {
    let total = 0
    for (;;) {
      const distances = this.#distances(source, sink)
      if (distances[sink] === Number.POSITIVE_INFINITY) return total
      // Paths of equal cost differ in edges; taken from the fewest on, none goes in circles.
      for (;;) {
        const levels = this.#levels(source, distances)
        if (levels[sink] === -1) break
        const next = new Int32Array(this.#leaving.length)
        total += this.#push(source, sink, Number.POSITIVE_INFINITY, { distances, levels, next })
      }
    }
  }

  /** Lowest cost from the source to each node, on ways that do not lead through the sink. */
  #distances(source: number, sink: number): Float64Array {
    const distances = new Float64Array(this.#leaving.length).fill(Number.POSITIVE_INFINITY)
    const isQueued = new Uint8Array(this.#leaving.length)
    const queue = [source]
    distances[source] = 0
    for (let at = 0; at < queue.length; at += 1) {
      const node = queue[at] ?? 0
      const distance = distances[node] ?? 0
      isQueued[node] = 0
      for (const edge of this.#leaving[node] ?? []) {
        if (this.#room[edge] === 0) continue
        const to = this.#head[edge] ?? 0
        const through = distance + (this.#cost[edge] ?? 0)
        if (through >= (distances[to] ?? 0)) continue
        distances[to] = through
        if (isQueued[to] === 1 || to === sink) continue
        isQueued[to] = 1
        queue.push(to)
      }
    }
    return distances
  }

  /** Fewest edges from the source to each node along shortest paths; -1 where none leads. */
  #levels(source: number, distances: Float64Array): Int32Array {
    const levels = new Int32Array(this.#leaving.length).fill(-1)
    const queue = [source]
    levels[source] = 0
    for (const node of queue) {
      for (const edge of this.#leaving[node] ?? []) {
        const to = this.#head[edge] ?? 0
        if (levels[to] !== -1 || !this.#isShortest(node, edge, to, distances)) continue
        levels[to] = (levels[node] ?? 0) + 1
        queue.push(to)
      }
    }
    return levels
  }

  #isShortest(from: number, edge: number, to: number, distances: Float64Array): boolean {
    return this.#room[edge] !== 0 && distances[to] === (distances[from] ?? 0) + (this.#cost[edge] ?? 0)
  }

  /** Pushes up to `limit` from a node to the sink; `next` keeps where each node's edges are not exhausted yet. */
  #push(
    node: number,
    sink: number,
    limit: number,
    phase: { distances: Float64Array; levels: Int32Array; next: Int32Array },
  ): number {
    if (node === sink) return limit
    const { distances, levels, next } = phase
    const leaving = this.#leaving[node] ?? []
    let pushed = 0
    for (; (next[node] ?? 0) < leaving.length; next[node] = (next[node] ?? 0) + 1) {
      const edge = leaving[next[node] ?? 0] ?? 0
      const to = this.#head[edge] ?? 0
      if (levels[to] !== (levels[node] ?? 0) + 1 || !this.#isShortest(node, edge, to, distances)) continue
      const room = this.#room[edge] ?? 0
      const amount = this.#push(to, sink, Math.min(limit - pushed, room), phase)
      this.#room[edge] = room - amount
      this.#room[edge ^ 1] = (this.#room[edge ^ 1] ?? 0) + amount
      pushed += amount
      if (pushed === limit) break
    }
    return pushed
  }
}
