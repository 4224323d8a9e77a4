"""gql, a client in Python on another implementation of GraphQL: every document is checked against the gateway's own schema.

Run by tests/gql.test.mjs, or alone: GATEWAY_URL=http://127.0.0.1:4000/graphql python -m unittest client_test.py
"""

import io
import os
import unittest
import uuid

from gql import Client, FileVar, GraphQLRequest, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

URL = os.environ.get("GATEWAY_URL", "http://127.0.0.1:4000/graphql")
PREFLIGHT = {"graphql-require-preflight": "1"}


def over_http():
    transport = AIOHTTPTransport(url=URL, headers=PREFLIGHT, timeout=30)
    return Client(transport=transport, fetch_schema_from_transport=True)


def over_websocket():
    # Named, because gql finds the server's choice only in a header written with just these capitals, and takes none for the
    # older protocol.
    protocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    transport = WebsocketsTransport(url=URL.replace("http", "ws", 1), subprotocols=protocols, connect_timeout=30)
    return Client(transport=transport)


def own_product():
    return f"own-{uuid.uuid4()}"


RENAME = "mutation ($id: ID!, $name: String!) { rename(id: $id, name: $name) { id name } }"


class OverHttp(unittest.IsolatedAsyncioTestCase):
    async def test_query_over_both_subgraphs(self):
        query = gql("query ($id: ID!) { product(id: $id) { name price reviews { body } } }")
        query.variable_values = {"id": "1"}
        async with over_http() as session:
            data = await session.execute(query)
        self.assertEqual(data["product"]["name"], "kopi")
        self.assertEqual(data["product"]["reviews"][0]["body"], "strong")

    async def test_mutation(self):
        values = {"id": own_product(), "name": "kopi o"}
        async with over_http() as session:
            data = await session.execute(GraphQLRequest(RENAME, variable_values=values))
        self.assertEqual(data["rename"], values)

    async def test_upload(self):
        text = b"kopi and menu\n" * 5000
        mutation = GraphQLRequest("mutation ($file: File!) { store(title: \"menu\", file: $file) { title name bytes } }")
        mutation.variable_values = {"file": FileVar(io.BytesIO(text), filename="menu.txt")}
        async with over_http() as session:
            data = await session.execute(mutation, upload_files=True)
        self.assertEqual(data["store"], {"title": "menu", "name": "menu.txt", "bytes": len(text)})

    async def test_batch(self):
        requests = [GraphQLRequest(f'{{ product(id: "{id}") {{ name }} }}') for id in (1, 2)]
        async with over_http() as session:
            answers = await session.execute_batch(requests)
        self.assertEqual([answer["product"]["name"] for answer in answers], ["kopi", "teh"])

    async def test_errors_have_codes(self):
        async with over_http() as session:
            with self.assertRaises(TransportQueryError) as raised:
                await session.execute(gql("{ trouble }"))
        self.assertIn("code", raised.exception.errors[0]["extensions"])


class OverWebSocket(unittest.IsolatedAsyncioTestCase):
    async def test_query_and_mutation(self):
        values = {"id": own_product(), "name": "teh c"}
        async with over_websocket() as session:
            data = await session.execute(GraphQLRequest(RENAME, variable_values=values))
            self.assertEqual(data["rename"], values)
            data = await session.execute(gql("{ reviewCount }"))
            self.assertGreater(data["reviewCount"], 0)

    async def test_subscription_joined_with_the_other_subgraph(self):
        subscription = gql("subscription { countdown(from: 2) { name reviews { stars } } }")
        async with over_websocket() as session:
            events = [event["countdown"] async for event in session.subscribe(subscription)]
        self.assertEqual([event["name"] for event in events], ["teh", "kopi"])
        self.assertEqual(events[1]["reviews"][0]["stars"], 5)


if __name__ == "__main__":
    unittest.main()
