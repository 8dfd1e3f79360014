/** Where a worker process begins. A terminal and a service manager signal the whole group: when a worker ends, the main process says. */
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);

const { runWorker } = await import('./worker.ts');
runWorker();

export {};
