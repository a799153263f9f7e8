/** Processor time of the calling thread, for measuring what a computation costs on a machine that others use too. */

/** Milliseconds this thread has spent on a processor, in user and system mode. */
export function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
