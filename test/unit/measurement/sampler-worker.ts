/** A worker thread that samples itself through 150 ms of blocked event loop and reports the summary. */
import { parentPort } from 'node:worker_threads'
import { startResourceSampler } from '../../../src/measurement/resource-sampler.ts'

const sampler = startResourceSampler('thread', () => ({ openConnections: 1, walBytes: null }))
setTimeout(() => {
  sampler.reset()
  setTimeout(() => {
    const until = process.hrtime.bigint() + 150_000_000n
    while (process.hrtime.bigint() < until);
    setTimeout(() => {
      parentPort?.postMessage(sampler.summary())
      sampler.stop()
    }, 30)
  }, 30)
}, 30)
