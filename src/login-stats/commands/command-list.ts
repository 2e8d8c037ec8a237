import { aclsCommand } from './acls.ts'
import { configCommand } from './config.ts'
import type { CommandFactory } from './context.ts'
import { demoCommand } from './demo.ts'
import { dlqCommand } from './dlq.ts'
import { generateCommand } from './generate.ts'
import { healthCommand } from './health.ts'
import { resetCommand } from './reset.ts'
import { runCommand } from './run.ts'
import { tableCommand } from './table.ts'
import { topicsCommand } from './topics.ts'
import { verifyCommand } from './verify.ts'

/** The commands, in the order of `--help`. */
export const commandList: readonly CommandFactory[] = [
  runCommand(() => import('../run.ts')),
  demoCommand(() => import('../demo.ts')),
  generateCommand,
  tableCommand,
  verifyCommand,
  dlqCommand,
  resetCommand,
  topicsCommand,
  aclsCommand,
  healthCommand,
  configCommand,
]
