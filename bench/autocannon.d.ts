/** The part of autocannon's API that a bench uses; the package ships no types. */
declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly connections: number
    readonly pipelining: number
    /** Seconds. */
    readonly duration: number
    readonly workers: number
  }
  export default function autocannon(options: Options): Promise<{ readonly requests: { readonly average: number } }>
}
