/** Verifies a certificate, rung by rung. */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../base-command.ts'
import { requirable, scopeProfiles } from '../../certificates/expectation.ts'
import { campaignKind, certificateKinds, migrationKinds } from '../../certificates/format.ts'
import { choiceFlag, durationFlag, numberFlag, switchFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'

const group = 'EXPECTATION'
const year = 365 * 86_400_000

export default class CertifyVerify extends BaseCommand {
  static override summary = 'Verify a certificate down to its raw histograms'
  static override description =
    'Five rungs: syntax and limits (35), signature by a key that this machine trusts (30, 31), binding of every file (32), meaning: percentiles recomputed, decision re-derived, text rendered again (33), expectation (34). Trust comes from this machine only, never from the package.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> certificate/LH-20261122-ABCDEFGHIJKLMNOP',
    '<%= config.bin %> <%= command.id %> LH-20261122-ABCDEFGHIJKLMNOP.tar.gz --require APPROVED --min-agents 1000 --commit "$(git rev-parse HEAD)"',
  ]

  static override args = {
    certificate: Args.string({ description: 'Package folder, its .md, or an archive', required: true }),
  }
  static override flags = {
    commit: textFlag(
      'commit',
      { summary: 'Code it must be for, cleanly', example: '$(git rev-parse HEAD)', group },
      '<sha>',
    ),
    component: textFlag(
      'component',
      { summary: 'Component it must be for', example: '"Message bridge"', group },
      '<name>',
    ),
    'max-age': durationFlag(
      'max-age',
      { summary: 'How old it may be', example: '7d', group },
      { min: 1000, max: year },
    ),
    kind: choiceFlag('kind', { summary: 'Kind of certificate it must be', example: 'migration', group }, [
      ...certificateKinds,
      campaignKind,
      ...migrationKinds,
    ]),
    require: choiceFlag(
      'require',
      { summary: 'Least decision; needs a scope', example: 'APPROVED', group },
      requirable,
    ),
    profile: choiceFlag(
      'profile',
      { summary: 'Scope: at least this profile', example: 'standard', group },
      scopeProfiles,
    ),
    'min-agents': wholeFlag(
      'min-agents',
      { summary: 'Scope: at least so many agents', example: '1000', group },
      { min: 1, max: 1e9 },
    ),
    'min-rate': numberFlag(
      'min-rate',
      { summary: 'Scope: at least so many exchanges/s', example: '1e4', group },
      { min: 0, max: 1e9 },
    ),
    'min-duration': durationFlag(
      'min-duration',
      { summary: 'Scope: at least so much valid load in all', example: '48h', group },
      { min: 1, max: year },
    ),
    suites: textFlag(
      'suites',
      { summary: 'Suites that it must cover, each run to its end', example: 'compare,scale', group },
      '<list>',
    ),
    signoffs: wholeFlag(
      'signoffs',
      { summary: 'Approvals by different trusted people', example: '2', group },
      { min: 0, max: 100 },
    ),
    'text-only': switchFlag('text-only', {
      summary: 'Accept a .md alone: evidence is not checked',
      example: '',
      group,
    }),
    'allowed-signers': textFlag(
      'allowed-signers',
      { summary: 'Trusted keys (default: the local trust list)', example: 'trust/allowed_signers', group: 'TRUST' },
      '<file>',
    ),
    'revoked-keys': textFlag(
      'revoked-keys',
      { summary: 'Revoked keys, beside the local ones', example: 'trust/revoked_keys', group: 'TRUST' },
      '<file>',
    ),
  }

  async run() {
    const { args, flags, metadata } = await this.parse(CertifyVerify)
    const { systemClock } = await import('../../platform/clock.ts')
    const { configurationFolder } = await import('../../platform/process.ts')
    const { chooseTrust } = await import('../../certificates/trust-store.ts')
    const { verifyCertificate } = await import('../../certificates/verify.ts')
    const { suiteList } = await import('../../configuration/suite-names.ts')
    const { suites } = await import('../../measurement/vocabulary.ts')
    const { ladderText } = await import('../../certificates/ladder-text.ts')
    const trust = chooseTrust(configurationFolder(), {
      certificate: args.certificate,
      allowedSigners: flags['allowed-signers'],
      revokedKeys: flags['revoked-keys'],
      fromFile: ['allowed-signers', 'revoked-keys'].some(
        (name) => name in flags && metadata.flags[name]?.setFromDefault === true,
      ),
    })
    const report = await verifyCertificate({
      path: args.certificate,
      trust,
      nowMs: systemClock().wallMs(),
      textOnly: flags['text-only'],
      expectation: {
        commit: flags.commit,
        component: flags.component,
        maxAgeMs: flags['max-age'],
        kind: flags.kind,
        require: flags.require,
        profile: flags.profile,
        minAgents: flags['min-agents'],
        minRate: flags['min-rate'],
        minDurationMs: flags['min-duration'],
        signoffs: flags.signoffs,
        suites: flags.suites === undefined ? undefined : suiteList(flags.suites, suites),
      },
    })
    if (!this.jsonEnabled()) process.stdout.write(ladderText(report))
    this.exitWith(report.exitCode)
    return report
  }
}
