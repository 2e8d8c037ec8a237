/**
 * Minimum-cost maximum flow through a network of integer capacities and integer costs >= 0: primal-dual, that is, shortest
 * distances by cost (with a queue, since arcs against a flow cost less than nothing), then all the flow that goes along shortest
 * paths at once (Dinic's blocking flow), until the sink is out of reach.
 *
 * Invariants: edge `e` has the arcs `2e` and, against it, `2e + 1`; the room of the one grows as that of the other shrinks;
 * no cycle of arcs with room costs less than nothing. The result depends only on the order in which nodes and edges were
 * added. The sum of costs along a path must stay below 2^53.
 */
export class FlowNetwork {
  #nodes = 0
  readonly #from: number[] = []
  readonly #to: number[] = []
  readonly #capacity: number[] = []
  readonly #price: number[] = []
  // Since `maximize`: per arc where it leads, what it costs and what may still flow; and the arcs by the node they leave,
  // those of node n from `#first[n]` up to `#first[n + 1]`.
  #head = new Int32Array(0)
  #cost = new Float64Array(0)
  #room = new Float64Array(0)
  #first = new Int32Array(0)
  #arcs = new Int32Array(0)

  addNode(): number {
    this.#nodes += 1
    return this.#nodes - 1
  }

  /** Returns the edge's id: edges are numbered as they are added. */
  addEdge(from: number, to: number, capacity: number, cost: number): number {
    this.#from.push(from)
    this.#to.push(to)
    this.#capacity.push(capacity)
    this.#price.push(cost)
    return this.#from.length - 1
  }

  /** What flows through an edge since `maximize`. */
  flow(edge: number): number {
    return this.#room[2 * edge + 1] ?? 0
  }

  /** Sends as much as can flow from source to sink, at the lowest cost. Returns how much that is. */
  maximize(source: number, sink: number): number {
    this.#layOut()
    let total = 0
    for (;;) {
      const distances = this.#distances(source, sink)
      if (distances[sink] === Number.POSITIVE_INFINITY) return total
      // Paths of equal cost differ in edges; taken from the fewest on, none goes in circles.
      for (;;) {
        const levels = this.#levels(source, distances)
        if (levels[sink] === -1) break
        const next = this.#first.slice(0, this.#nodes)
        total += this.#push(source, sink, Number.POSITIVE_INFINITY, { distances, levels, next })
      }
    }
  }

  /** Numbers the arcs of each node in a row, in the order of edges. */
  #layOut(): void {
    const arcs = 2 * this.#from.length
    this.#head = new Int32Array(arcs)
    this.#cost = new Float64Array(arcs)
    this.#room = new Float64Array(arcs)
    this.#arcs = new Int32Array(arcs)
    const last = new Int32Array(this.#nodes + 1)
    for (let arc = 0; arc < arcs; arc += 1) {
      const edge = arc >> 1
      const isForward = arc % 2 === 0
      const tail = (isForward ? this.#from : this.#to)[edge] ?? 0
      this.#head[arc] = (isForward ? this.#to : this.#from)[edge] ?? 0
      this.#cost[arc] = isForward ? (this.#price[edge] ?? 0) : -(this.#price[edge] ?? 0)
      this.#room[arc] = isForward ? (this.#capacity[edge] ?? 0) : 0
      last[tail] = (last[tail] ?? 0) + 1
    }
    for (let node = 1; node <= this.#nodes; node += 1) last[node] = (last[node] ?? 0) + (last[node - 1] ?? 0)
    for (let arc = arcs - 1; arc >= 0; arc -= 1) {
      const tail = this.#head[arc ^ 1] ?? 0
      last[tail] = (last[tail] ?? 0) - 1
      this.#arcs[last[tail] ?? 0] = arc
    }
    // What was the last of each node has been counted down to its first.
    this.#first = last
  }

  /** Lowest cost from the source to each node, on ways that do not lead through the sink. */
  #distances(source: number, sink: number): Float64Array {
    const distances = new Float64Array(this.#nodes).fill(Number.POSITIVE_INFINITY)
    const isQueued = new Uint8Array(this.#nodes)
    const queue = [source]
    distances[source] = 0
    for (let at = 0; at < queue.length; at += 1) {
      const node = queue[at] ?? 0
      const distance = distances[node] ?? 0
      isQueued[node] = 0
      const end = this.#first[node + 1] ?? 0
      for (let index = this.#first[node] ?? 0; index < end; index += 1) {
        const arc = this.#arcs[index] ?? 0
        if (this.#room[arc] === 0) continue
        const to = this.#head[arc] ?? 0
        const through = distance + (this.#cost[arc] ?? 0)
        if (through >= (distances[to] ?? 0)) continue
        distances[to] = through
        if (isQueued[to] === 1 || to === sink) continue
        isQueued[to] = 1
        queue.push(to)
      }
    }
    return distances
  }

  /** Fewest arcs from the source to each node along shortest paths; -1 where none leads. */
  #levels(source: number, distances: Float64Array): Int32Array {
    const levels = new Int32Array(this.#nodes).fill(-1)
    const queue = [source]
    levels[source] = 0
    for (const node of queue) {
      const end = this.#first[node + 1] ?? 0
      for (let index = this.#first[node] ?? 0; index < end; index += 1) {
        const arc = this.#arcs[index] ?? 0
        const to = this.#head[arc] ?? 0
        if (levels[to] !== -1 || !this.#isShortest(node, arc, to, distances)) continue
        levels[to] = (levels[node] ?? 0) + 1
        queue.push(to)
      }
    }
    return levels
  }

  #isShortest(from: number, arc: number, to: number, distances: Float64Array): boolean {
    return this.#room[arc] !== 0 && distances[to] === (distances[from] ?? 0) + (this.#cost[arc] ?? 0)
  }

  /** Pushes up to `limit` from a node to the sink; `next` keeps where each node's arcs are not exhausted yet. */
  #push(
    node: number,
    sink: number,
    limit: number,
    phase: { distances: Float64Array; levels: Int32Array; next: Int32Array },
  ): number {
    if (node === sink) return limit
    const { distances, levels, next } = phase
    const end = this.#first[node + 1] ?? 0
    let pushed = 0
    for (; (next[node] ?? 0) < end; next[node] = (next[node] ?? 0) + 1) {
      const arc = this.#arcs[next[node] ?? 0] ?? 0
      const to = this.#head[arc] ?? 0
      if (levels[to] !== (levels[node] ?? 0) + 1 || !this.#isShortest(node, arc, to, distances)) continue
      const room = this.#room[arc] ?? 0
      const amount = this.#push(to, sink, Math.min(limit - pushed, room), phase)
      this.#room[arc] = room - amount
      this.#room[arc ^ 1] = (this.#room[arc ^ 1] ?? 0) + amount
      pushed += amount
      if (pushed === limit) break
    }
    return pushed
  }
}
