/**
 * Alertmanager as we meet it: what it proves its webhooks with, and where and how its API is asked.
 */
import type { AlertmanagerConfig } from '../../../model/config.ts';
import { addressOfUrl, isLoopback } from '../address.ts';
import type { Check, Subject } from './context.ts';

export const checkAlertmanager: Check = (subject) => {
  const { alertmanager } = subject.config;
  if (alertmanager === undefined) return;
  checkWebhook(subject, alertmanager);
  checkApis(subject, alertmanager);
  checkApiCredentials(subject, alertmanager);
  for (const key of ['basic', 'apiBasic'] as const) {
    // RFC 7617: the first colon ends the name. What can't be sent in it are control characters.
    if (!/[:\p{Cc}]/u.test(alertmanager[key]?.user ?? '')) continue;
    subject.error({
      code: 'basic-user',
      path: ['alertmanager', key, 'user'],
      message: 'a user name can hold neither a colon nor control characters',
      remedy: 'choose another name, on both sides',
    });
  }
};

function checkWebhook({ error }: Subject, { bearer, basic, clientCertificate }: AlertmanagerConfig): void {
  const given = Object.entries({ bearer, basic, clientCertificate }).flatMap(([key, value]) =>
    value === undefined ? [] : [key],
  );
  const [first, second] = given;
  if (first === undefined)
    error({
      code: 'webhook-credentials',
      path: ['alertmanager'],
      on: 'key',
      value: 'missing',
      message: 'nothing is said of how Alertmanager proves that a webhook is its own',
      remedy: 'add bearer: with its token, basic: with user and password, or clientCertificate: with its names',
    });
  if (second !== undefined)
    error({
      code: 'webhook-credentials',
      path: ['alertmanager', second],
      on: 'key',
      value: `${second} beside ${first}`,
      message: 'a webhook is proven in one way, so that it is clear what a stranger would need',
      remedy: `keep one of ${given.join(' and ')}, as http_config of the webhook in Alertmanager has it`,
    });
}

function checkApis({ error, warn }: Subject, { apis = [], apiBearer, apiBasic }: AlertmanagerConfig): void {
  const known = new Map<string, number>();
  for (const [index, api] of apis.entries()) {
    if (!URL.canParse(api)) continue;
    const path = ['alertmanager', 'apis', index];
    const url = new URL(api);
    if (url.search !== '' || url.hash !== '')
      error({
        code: 'api-url',
        path,
        message: 'the paths of the API are put behind this address, so it can’t end in a query or a fragment',
        remedy: 'end it before the ? or #',
      });
    const plain = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
    const other = known.get(plain);
    if (other !== undefined)
      error({
        code: 'api-twice',
        path,
        message: `alertmanager.apis[${other}] is the same Alertmanager`,
        remedy: 'name each once, by an address of its own and not by one that is shared',
      });
    known.set(plain, index);
    if (url.protocol !== 'http:' || (apiBearer === undefined && apiBasic === undefined)) continue;
    if (isLoopback(addressOfUrl(api)?.host ?? '')) continue;
    warn({
      code: 'api-plain-http',
      path,
      message: 'credentials are sent to it unencrypted: who listens in can use them',
      remedy: 'use https',
    });
  }
}

function checkApiCredentials({ error }: Subject, { apis, apiBearer, apiBasic }: AlertmanagerConfig): void {
  const given = (['apiBearer', 'apiBasic'] as const).filter(
    (key) => (key === 'apiBearer' ? apiBearer : apiBasic) !== undefined,
  );
  const [first] = given;
  if (first === undefined) return;
  if (apis === undefined)
    error({
      code: 'api-credentials',
      path: ['alertmanager', first],
      on: 'key',
      value: first,
      message: 'no API is named that this could be presented to',
      remedy: `add apis: with the address of each Alertmanager, or leave out ${first}`,
    });
  if (given.length > 1)
    error({
      code: 'api-credentials',
      path: ['alertmanager', 'apiBasic'],
      on: 'key',
      value: 'apiBasic beside apiBearer',
      message: 'a request carries one Authorization header, so it can’t hold both',
      remedy: 'leave out apiBearer or apiBasic',
    });
}
