/** Prometheus' own checker of configurations, rules and metrics. */
import { findTool, runTool, type ToolResult } from './tools.ts'

export const promtool = findTool('promtool')

/** Throws where there is none: tests ask `promtool.command` first. */
export function runPromtool(args: readonly string[], stdin = ''): ToolResult {
  if (promtool.command === null) throw new Error(`no promtool${promtool.reason}`)
  return runTool(promtool.command, args, stdin)
}
