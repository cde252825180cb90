// What plain HTTP clients are answered.
//
// Leaves reading, writing and the websocket to session.cpp.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/message_generator.hpp>

#include <string_view>

/// A request as the demo reads it: bodies are not wanted.
using Request = boost::beast::http::request<boost::beast::http::empty_body>;

/// True for the paths that exist, whatever the query: "/" is page and websocket, "/echo" a websocket only.
[[nodiscard]] bool takes_websocket(const Request& request);

/// The answer to a request that is no websocket upgrade: the page, 404, 405 or 426.
[[nodiscard]] boost::beast::http::message_generator answer(const Request& request);

/// The answer to something that is no proper request. The connection ends after it.
[[nodiscard]] boost::beast::http::message_generator refuse(boost::beast::http::status status,
                                                           std::string_view why);
