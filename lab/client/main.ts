import { readConfig } from '../region/config.ts';
import { textOf } from '../servers/errors.ts';
import { type ClientOptions, startClient } from './client.ts';

/**
 * A traffic client as a process of its own: `node lab/client/main.ts --config FILE`, a JSON of `ClientOptions`.
 * It writes until SIGTERM, and then prints its counts as one line of JSON.
 */
const client = startClient(await readConfig<ClientOptions>(process.argv));

let ending = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    client.stop().then(
      (stats) => {
        console.log(JSON.stringify(stats));
        process.exit(0);
      },
      (error: unknown) => {
        console.error(textOf(error));
        process.exit(1);
      },
    );
  });
}
