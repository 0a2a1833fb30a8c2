// Relay: pages through a @connection that its compiler made, and problems told apart by fragments.
import relay from "relay-runtime";
import FirstQuery from "./made/panelFirstQuery.graphql.js";
import NextQuery from "./made/panelNextQuery.graphql.js";
import Panel from "./made/panel_observations.graphql.js";
import GrantMutation from "./made/panelGrantMutation.graphql.js";
import { headers, pageSize, say, url, wishes } from "./portal.mjs";

const { Environment, Network, RecordSource, Store } = relay;
const environment = new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(async ({ text }, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ query: text, variables }),
    });
    return answer.json();
  }),
});

const ask = async (request, variables) => {
  await relay.fetchQuery(environment, request, variables).toPromise();
  const operation = relay.createOperationDescriptor(request, variables);
  environment.retain(operation);
  return environment.lookup(operation.fragment).data;
};
const firstPage = await ask(FirstQuery, { count: pageSize });
const selector = relay.getSingularSelector(Panel, firstPage);
const connection = () => environment.lookup(selector).data.record.observations;
let pages = 1;
while (connection().pageInfo.hasNextPage) {
  await ask(NextQuery, { count: pageSize, cursor: connection().pageInfo.endCursor });
  pages += 1;
}
const grant = (input) =>
  new Promise((onCompleted, onError) => {
    relay.commitMutation(environment, {
      mutation: GrantMutation,
      variables: { input },
      onCompleted,
      onError,
    });
  });
const answers = [];
for (const input of wishes) answers.push((await grant(input)).grantProxyAccess);
say({ ids: connection().edges.map(({ node }) => node.id), pages, answers });
