/** `lighthouse flags set`: changes flags of a bridge, with a name and a reason that stay in its log. */
import { boolean } from '@oclif/core/flags'
import { bridgeFlags } from '../../admin-flags.ts'
import { BridgeCommand } from '../../bridge-command.ts'
import { environmentName, numberFlag, textFlag } from '../../configuration/flags.ts'
import { LighthouseError } from '../../platform/errors.ts'

const group = 'CHANGE'

/** Not given, the flag stays as it is. */
function onOrOff(name: string, summary: string) {
  return boolean({
    summary: `${summary}, e.g. --${name} or --no-${name}`,
    env: environmentName(name),
    helpGroup: group,
    allowNo: true,
  })
}

const names = (text: string): string => text

export default class FlagsSet extends BridgeCommand {
  static override summary = 'Change flags of a bridge; what is not named stays'

  static override description = `The change is written to the bridge's log before it counts. Agents that it concerns hear of it within a second and move at random times within the drain.
Of two changes at once one is refused.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --enabled --percentage 5 --actor ada --reason "canary" --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --no-enabled --actor ada --reason "push is slow"',
    '<%= config.bin %> <%= command.id %> --opt-in a1,a2 --opt-out none --actor ada --reason "volunteers"',
  ]

  static override flags = {
    ...bridgeFlags,
    actor: textFlag('actor', { summary: 'Who makes the change; required', example: 'ada', group }, '<name>'),
    reason: textFlag('reason', { summary: 'Why; required', example: '"canary held for 48 h"', group }, '<text>'),
    enabled: onOrOff('enabled', 'Whether anybody is assigned push'),
    percentage: numberFlag(
      'percentage',
      { summary: 'Of agents that are assigned push', example: '25', group },
      { min: 0, max: 100 },
    ),
    'opt-in': textFlag(
      'opt-in',
      { summary: 'Agents that are assigned push in any case; none for nobody', example: 'a1,a2', group },
      '<names>',
      names,
    ),
    'opt-out': textFlag(
      'opt-out',
      { summary: 'Agents that stay on the old path in any case; none for nobody', example: 'a3', group },
      '<names>',
      names,
    ),
    fallback: onOrOff('fallback', 'Whether an agent that cannot open push may poll'),
    'dual-mode': onOrOff('dual-mode', 'Whether both paths are open to every agent'),
    deprecation: onOrOff('deprecation', 'Warnings on the old path'),
    'legacy-off': onOrOff('legacy-off', 'Close the old path'),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(FlagsSet)
    const { actor, reason } = flags
    if (actor === undefined || reason === undefined) {
      throw new LighthouseError('USAGE', `a change of flags needs ${actor === undefined ? '--actor' : '--reason'}`, {
        suggestions: ['Say who makes it and why: --actor ada --reason "canary".'],
      })
    }
    const { changeOf, withBridge } = await import('../../configuration/admin-target.ts')
    const change = changeOf(flags)
    const status = await withBridge(flags, async (client) => {
      await client.change(change, actor, reason)
      return client.status()
    })
    return this.showFlags(status)
  }
}
