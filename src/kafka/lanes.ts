/**
 * Names of lanes. A lane is a connection below, so names are used again as soon as they are free: however many fetchers
 * and members come and go, the number of connections stays that of the most that lived at once.
 */

/** Short requests that no broker holds back share this lane. */
export const controlLane = 'control'
/** Heartbeats of all members: never behind anything slower than a heartbeat. */
export const heartbeatLane = 'heartbeat'

export class Lanes {
  private readonly taken = new Set<string>()

  /** A name that starts with `purpose` and that nobody holds. */
  take(purpose: string): string {
    let number = 0
    while (this.taken.has(`${purpose}-${number}`)) number++
    const lane = `${purpose}-${number}`
    this.taken.add(lane)
    return lane
  }

  release(lane: string): void {
    this.taken.delete(lane)
  }
}
