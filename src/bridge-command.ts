/**
 * What commands about a bridge have in common: how they show its flags.
 */
import { BaseCommand } from './base-command.ts'
import type { BridgeStatus } from './measurement/flags-document.ts'

export abstract class BridgeCommand extends BaseCommand {
  /** Prints the flags unless the result is printed as JSON, and gives them back. */
  protected async showFlags(status: BridgeStatus): Promise<BridgeStatus> {
    if (!this.jsonEnabled()) {
      const { renderFlags } = await import('./reports/flags-text.ts')
      process.stdout.write(renderFlags(status, this.terminalStyle))
    }
    return status
  }
}
