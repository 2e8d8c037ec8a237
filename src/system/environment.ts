/** The variables of this process's environment, by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The one place that reads `process.env`. A copy: what a test or a command changes in it stays its own. */
export function environment(): Environment {
  return { ...process.env }
}
