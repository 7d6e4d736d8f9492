/**
 * One error class for everything a user can meet, and the exit codes of the command line.
 * Layers throw; only the base command formats and maps to an exit code.
 */

export const exitCodes = {
  APPROVED: 0,
  CRASH: 1,
  USAGE: 2,
  CONDITIONALLY_APPROVED: 20,
  REQUIRES_REMEDIATION: 21,
  EMERGENCY_STOP: 22,
  NEEDS_FURTHER_REVIEW: 23,
  ENVIRONMENT: 24,
  TIME_BUDGET: 25,
  SIGNATURE_ALTERED: 30,
  SIGNER_UNTRUSTED: 31,
  EVIDENCE_ALTERED: 32,
  MEANING_DIFFERS: 33,
  EXPECTATION_UNMET: 34,
  MALFORMED_CERTIFICATE: 35,
  SIGINT: 130,
  SIGTERM: 143,
} as const

const exitCodeOf = {
  USAGE: exitCodes.USAGE,
  CONFIGURATION: exitCodes.USAGE,
  ENGINE_UNREACHABLE: exitCodes.ENVIRONMENT,
  ENGINE_START: exitCodes.ENVIRONMENT,
  ENVIRONMENT: exitCodes.ENVIRONMENT,
  TIME_BUDGET: exitCodes.TIME_BUDGET,
  STORE: exitCodes.ENVIRONMENT,
  RUN_DIRECTORY: exitCodes.ENVIRONMENT,
  SIGNATURE_ALTERED: exitCodes.SIGNATURE_ALTERED,
  SIGNER_UNTRUSTED: exitCodes.SIGNER_UNTRUSTED,
  EVIDENCE_ALTERED: exitCodes.EVIDENCE_ALTERED,
  MEANING_DIFFERS: exitCodes.MEANING_DIFFERS,
  EXPECTATION_UNMET: exitCodes.EXPECTATION_UNMET,
  MALFORMED_CERTIFICATE: exitCodes.MALFORMED_CERTIFICATE,
  INTERNAL: exitCodes.CRASH,
} as const satisfies Record<string, number>

export type ErrorCode = keyof typeof exitCodeOf

export interface ErrorDetails {
  readonly cause?: unknown
  /** What to do about it, one imperative sentence each. */
  readonly suggestions?: readonly string[]
}

/** `message` says what was wrong and where; `suggestions` say what to do. */
export class LighthouseError extends Error {
  readonly code: ErrorCode
  readonly suggestions: readonly string[]

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'LighthouseError'
    this.code = code
    this.suggestions = details.suggestions ?? []
  }

  get exitCode(): number {
    return exitCodeOf[this.code]
  }
}
