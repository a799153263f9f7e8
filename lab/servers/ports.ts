import { createServer } from 'node:net';
import { LabError } from './errors.ts';

/** A TCP port that nothing uses on this address now. Another may take it before you do: start soon, and be ready to fail. */
export async function freePort(host: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new LabError('bad-input', `no port on ${host}`));
      });
    });
  });
}
