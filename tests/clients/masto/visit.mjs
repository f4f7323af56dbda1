// What an application built on masto does for a member: argv is the instance, a picture and a colleague's name.
// Prints the link to allow it as its first line, reads the code on stdin, and prints what it saw as one JSON line.

import { openAsBlob } from "node:fs";
import { createInterface } from "node:readline/promises";
import { createOAuthAPIClient, createRestAPIClient } from "masto";

const [url, picture, colleague] = process.argv.slice(2);
const redirectUri = "urn:ietf:wg:oauth:2.0:oob";
const scopes = "read write follow";

const registered = await createRestAPIClient({ url }).v1.apps.create({
  clientName: "masto",
  redirectUris: redirectUri,
  scopes,
});
const query = new URLSearchParams({
  client_id: registered.clientId,
  redirect_uri: redirectUri,
  response_type: "code",
  scope: scopes,
});
console.log(`${url}/oauth/authorize?${query}`);
const code = await createInterface({ input: process.stdin }).question("");

const oauth = createOAuthAPIClient({ url });
const ours = { clientId: registered.clientId, clientSecret: registered.clientSecret };
const exchange = { ...ours, grantType: "authorization_code", code, redirectUri, scope: scopes };
const token = await oauth.token.create(exchange);
const masto = createRestAPIClient({ url, accessToken: token.accessToken });

const seen = {};
seen.whoami = (await masto.v1.accounts.verifyCredentials()).acct;
seen.instance = (await masto.v2.instance.fetch()).title;

const file = await masto.v2.media.create({ file: await openAsBlob(picture), description: "An ECG" });
const post = await masto.v1.statuses.create({ status: "ST elevation in V2", mediaIds: [file.id], language: "en" });
seen.description = post.mediaAttachments[0].description;
const poll = await masto.v1.statuses.create({
  status: "Which?",
  poll: { options: ["aspirin", "nothing"], expiresIn: 3600 },
});
seen.options = poll.poll.options.map((option) => option.title);

const found = await masto.v2.search.list({ q: colleague, type: "accounts" });
const account = found.accounts[0];
seen.found = account.acct;
seen.following = (await masto.v1.accounts.$select(account.id).follow()).following;
const [asked] = await masto.v1.accounts.$select(account.id).statuses.list({ limit: 1 });
const choice = await masto.v1.polls.$select(asked.poll.id).votes.create({ choices: [0] });
seen.voted = choice.ownVotes;
const answer = await masto.v1.statuses.create({ status: `@${colleague} I do`, inReplyToId: asked.id });
const thread = await masto.v1.statuses.$select(asked.id).context.fetch();
seen.thread = thread.descendants.map((status) => status.id === answer.id);
await masto.v1.statuses.$select(asked.id).favourite();
seen.home = (await masto.v1.timelines.home.list({ limit: 40 })).map((status) => status.id).includes(asked.id);
seen.pages = 0;
for await (const page of masto.v1.timelines.home.list({ limit: 2 })) seen.pages += page.length;
seen.notifications = (await masto.v1.notifications.list()).map((one) => one.type);
seen.groups = (await masto.v2.notifications.list()).notificationGroups.map((group) => group.type);
await masto.v1.accounts.$select(account.id).unfollow();
await masto.v1.statuses.$select(post.id).remove();

try {
  await masto.v1.statuses.create({ status: "" });
} catch (error) {
  seen.refusal = error.statusCode;
}
await oauth.revoke({ ...ours, token: token.accessToken });
for (const [name, again] of [
  ["afterRevocation", () => masto.v1.accounts.verifyCredentials()],
  ["codeAgain", () => oauth.token.create(exchange)],
]) {
  seen[name] = await again().then(() => 200, (error) => error.statusCode);
}
console.log(JSON.stringify(seen));
process.exit(0);
