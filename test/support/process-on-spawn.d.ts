declare module 'process-on-spawn' {
  const processOnSpawn: {
    addListener(listener: (child: { env: Record<string, string | undefined> }) => void): void;
    removeAllListeners(): void;
  };
  export = processOnSpawn;
}
