// Counters and states for Prometheus, on loopback only: numbers about who talks to whom are nobody else's.
import http from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { SallyportError } from '../model/errors.ts';
import type { Counters } from '../model/flow.ts';
import { parseMetricsAddress } from '../model/metrics-address.ts';
import type { ForwardView } from '../model/snapshot.ts';
import { forwardStates } from '../model/state.ts';

export interface MetricsSource {
  readonly views: () => readonly ForwardView[];
  readonly counters: (name: string) => Counters;
}

/** The text of a scrape. */
export async function renderMetrics({ views, counters }: MetricsSource): Promise<string> {
  const registry = new Registry();
  const labelNames = ['forward', 'kind', 'via'] as const;
  const counter = (name: string, help: string) =>
    new Counter({ name: `sallyport_${name}`, help, labelNames, registers: [registry] });
  const received = counter('received_bytes_total', 'Bytes the target sent back');
  const sent = counter('sent_bytes_total', 'Bytes sent to the target');
  const total = counter('flows_total', 'Flows since counting began');
  const refused = counter('refused_clients_total', 'Clients that were turned away');
  const flows = new Gauge({ name: 'sallyport_flows', help: 'Flows now', labelNames, registers: [registry] });
  const state = new Gauge({
    name: 'sallyport_forward_state',
    help: '1 for the state the forward is in',
    labelNames: ['forward', 'state'],
    registers: [registry],
  });
  for (const view of views()) {
    const labels = { forward: view.name, kind: view.kind, via: view.via };
    const counts = counters(view.name);
    received.inc(labels, counts.rx);
    sent.inc(labels, counts.tx);
    total.inc(labels, counts.flowsTotal);
    refused.inc(labels, counts.refused);
    flows.set(labels, counts.flows);
    for (const one of forwardStates) state.set({ forward: view.name, state: one }, one === view.state ? 1 : 0);
  }
  return registry.metrics();
}

/** Serves `/metrics` until stopped. @throws SallyportError `bad_value`, `listen_failed` */
export async function serveMetrics(address: string, source: MetricsSource): Promise<() => void> {
  const { host, port } = parseMetricsAddress(address);
  const server = http.createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    renderMetrics(source).then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new SallyportError(
          'listen_failed',
          `metrics on ${address}: ${cause.message}`,
          'choose another port in settings.metrics',
          { cause },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
