/** What would decide a target, in words: always a forecast under a stated assumption, never a promise. */
import type { TargetExplanation } from '../measurement/explanation-document.ts'
import { count } from './numbers.ts'

/** Fewer rounds than this tell little of how much rounds differ. */
const fewRounds = 6

export function forecastWords({ forecast, verdict, engine, lacks }: TargetExplanation): string[] {
  const { fromRounds } = forecast
  switch (forecast.state) {
    case 'DECIDED':
      return heldWords(forecast.heldFromRounds, fromRounds, verdict)
    case 'NO_HELP': {
      const remedies = [...new Set(lacks.filter((lack) => !lack.moreRoundsHelp).map(({ remedy }) => remedy))]
      const what = remedies.length === 0 ? '' : ` What does: ${remedies.join('; ')}.`
      const why = remedies.length === 0 ? `: ${forecast.reason}` : ''
      return [`More rounds like these do not help${why}.${what}`]
    }
    case 'BEYOND_LIMIT':
      return [
        `Even ${count(forecast.searchedRounds)} rounds like these would not decide it: ${forecast.reason}.`,
        assumption(fromRounds),
      ]
    case 'WOULD_DECIDE': {
      const { rounds, exchanges, durationMs } = forecast
      const more = (rounds ?? 0) - fromRounds
      const than = more > 0 ? `${count(more)} more than it has valid` : 'as many as it has valid'
      return [
        `A run of ${count(rounds)} rounds like these (${than}; ${count(exchanges)} exchanges on ${engine ?? 'the engine'}, ` +
          `about ${minutes(durationMs ?? 0)}) would decide it as ${forecast.verdict ?? 'neither'}.`,
        assumption(fromRounds),
      ]
    }
  }
}

function heldWords(held: number | null, of: number, verdict: string): string[] {
  if (held === null) return []
  return held < of
    ? [
        `No more rounds are needed: from the first ${count(held)} of its ${count(of)} valid rounds on it was ${verdict}.`,
      ]
    : [`No more rounds are needed, but one round fewer would not have shown ${verdict}.`]
}

function assumption(fromRounds: number): string {
  const few = fromRounds < fewRounds ? `; from so few, how much rounds differ is hardly known` : ''
  const what = fromRounds === 1 ? 'the 1 valid round' : `the ${count(fromRounds)} valid rounds`
  return `This is a forecast, made by judging ${what} of this run over and over; it holds only if further rounds are like them${few}.`
}

function minutes(ms: number): string {
  if (ms < 90_000) return `${count(Math.max(1, Math.round(ms / 1000)))} s`
  return ms < 5_400_000 ? `${count(Math.round(ms / 60_000))} minutes` : `${(ms / 3_600_000).toFixed(1)} hours`
}
