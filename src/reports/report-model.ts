/**
 * The shape of a report between what it says and how it looks: a headline and sections of one table and some
 * sentences. All text here is raw; a renderer escapes it for its own medium.
 */
import type { Decision } from '../statistics/verdict.ts'

export type Tone = 'good' | 'doubt' | 'bad' | 'plain'

export interface Cell {
  readonly text: string
  /** An interval or a qualification: on the same line where there is room, else below. */
  readonly detail?: string
  readonly tone?: Tone
}

export interface Section {
  readonly title: string
  readonly table?: { readonly head: readonly string[]; readonly rows: readonly (readonly Cell[])[] }
  /** Sentences below the table. `command`, if any, is something to type. */
  readonly lines: readonly Line[]
}

export interface Line {
  readonly text: string
  readonly command?: string
  readonly tone?: Tone
}

export interface ReportContent {
  readonly decision: Decision
  readonly tone: Tone
  readonly exitCode: number
  readonly scope: string
  readonly summary: readonly Line[]
  readonly sections: readonly Section[]
}
