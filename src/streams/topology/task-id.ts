/** A task: subtopology and partition, written `0_3`. */
export interface TaskId {
  readonly subtopology: number
  readonly partition: number
}

export function formatTaskId({ subtopology, partition }: TaskId): string {
  return `${subtopology}_${partition}`
}

/** The task that a text such as `0_3` names, or null. */
export function parseTaskId(text: string): TaskId | null {
  const match = /^(\d+)_(\d+)$/.exec(text)
  return match === null ? null : { subtopology: Number(match[1]), partition: Number(match[2]) }
}
