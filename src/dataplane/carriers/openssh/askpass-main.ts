// The program ssh runs to ask something (SSH_ASKPASS): hands the question to the link and prints its answer. The answer
// travels through the socket and ssh's pipe only.
import net from 'node:net';

const socket = net.connect(process.env.SALLYPORT_ASKPASS_SOCKET ?? '');
let text = '';
socket.setEncoding('utf8');
socket.on('error', () => process.exit(1));
socket.on('data', (chunk: string) => {
  text += chunk;
});
socket.on('end', () => {
  let answer: unknown = null;
  try {
    answer = (JSON.parse(text) as { answer?: unknown }).answer;
  } catch {}
  if (typeof answer !== 'string') process.exit(1);
  process.stdout.write(`${answer}\n`, () => process.exit(0));
});
socket.write(`${JSON.stringify({ text: process.argv[2] ?? '', form: process.env.SSH_ASKPASS_PROMPT ?? 'entry' })}\n`);
