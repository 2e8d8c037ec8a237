/** In ISO 8601. `timestamp`: ms since the epoch; a record may carry one that no date has, which stays a number. */
export function timeText(timestamp: number): string {
  return Math.abs(timestamp) <= 8.64e15 ? new Date(timestamp).toISOString() : String(timestamp)
}
