import { Command } from 'commander'
import type { Invocation } from './context.ts'
import { dlqListCommand } from './dlq-list.ts'
import { dlqReplayCommand } from './dlq-replay.ts'
import { dlqShowCommand } from './dlq-show.ts'

export function dlqCommand(invocation: Invocation): Command {
  return new Command('dlq')
    .description('Dead letters: the records that could not be read')
    .addCommand(dlqListCommand(invocation))
    .addCommand(dlqShowCommand(invocation))
    .addCommand(dlqReplayCommand(invocation))
}
