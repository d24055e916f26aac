import { request as httpRequest } from 'node:http';
import { SallyportError } from '../../model/errors.ts';

export interface HttpCall {
  /** With an address for a host. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** No honest description or answer of a router comes near this. */
const maxAnswerBytes = 256 * 1024;

/**
 * One HTTP call to a router. Not `fetch`: this follows no redirect, unpacks nothing, and keeps no connection that a
 * restarted router would have forgotten.
 * @throws SallyportError `gateway_missing` when nobody answers, `gateway_failed` for an answer that is a redirect, too
 * long, too slow or not HTTP; the signal's reason
 */
export function callHttp(call: HttpCall): Promise<HttpAnswer> {
  const { url, method, headers = {}, body, signal, timeoutMs = 5000, maxBytes = maxAnswerBytes } = call;
  const host = new URL(url).host;
  return new Promise((resolve, reject) => {
    const failed = (why: string, cause?: unknown) =>
      reject(new SallyportError('gateway_failed', `router ${host} ${why}`, '', { cause }));
    const payload = body === undefined ? undefined : Buffer.from(body);
    const request = httpRequest(url, {
      method,
      agent: false,
      headers: { connection: 'close', ...headers, ...(payload && { 'content-length': String(payload.length) }) },
      maxHeaderSize: 16 * 1024,
      signal,
    });
    const timer = setTimeout(() => {
      failed('takes too long to answer');
      request.destroy();
    }, timeoutMs);
    request.once('close', () => clearTimeout(timer));
    request.on('error', (cause: NodeJS.ErrnoException) => {
      if (signal.aborted) return reject(signal.reason);
      const unreachable = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(cause.code ?? '');
      if (!unreachable) return failed(`gives no proper answer: ${cause.message}`, cause);
      reject(new SallyportError('gateway_missing', `router ${host} cannot be reached`, '', { cause }));
    });
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const giveUp = (why: string) => {
        failed(why);
        request.destroy();
      };
      response.on('error', (cause) => failed('broke its answer off', cause));
      if (status >= 300 && status < 400) return giveUp('sends us elsewhere, which is not followed');
      if (Number(response.headers['content-length'] ?? 0) > maxBytes) return giveUp('sends too much');
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) return giveUp('sends too much');
        chunks.push(chunk);
      });
      response.once('end', () => resolve({ status, body: Buffer.concat(chunks).toString('utf8') }));
    });
    request.end(payload);
  });
}
