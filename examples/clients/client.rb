# Gives one order or asks one question over AMQP, and prints the answer as JSON. Needs only the gem bunny
# (Debian: ruby-bunny).
#
#   ruby client.rb amqp://user:password@host/vhost SetLimit limit=4
#   ruby client.rb amqp://user:password@host/vhost SubmitProject definition=@project.yml template=@template.yml
#
# A value is JSON (so a number as text is '"7"'), or else text; @FILE is the text of a file. Exit status: 0 done, 1 refused, 2 not answered.

require "bunny"
require "json"
require "securerandom"
require "timeout"

EXCHANGE = "beagle.commands"
REPLY_TO = "amq.rabbitmq.reply-to"
TRIES = 4
PATIENCE = 10

# The id says that it is the same one, however often it is sent: it is applied once.
def command(type, fields)
  { "type" => type, "id" => SecureRandom.hex(12), "time" => Time.now.to_f, "v" => 1 }.merge(fields)
end

# The answer, or nil when none came in time: it may have been applied all the same, so send the very same again.
def send_once(url, body)
  connection = Bunny.new(url, logger: Logger.new(File::NULL), recover_from_connection_close: false)
  connection.start
  channel = connection.create_channel
  answers = Queue.new
  consumer = Bunny::Consumer.new(channel, REPLY_TO, "", true)
  consumer.on_delivery { |_, _, payload| answers << payload }
  channel.basic_consume_with(consumer)
  key = "gateway." + body["type"].gsub(/(?<!^)(?=[A-Z])/, "_").downcase
  channel.confirm_select
  channel.basic_publish(JSON.generate(body), EXCHANGE, key,
                        mandatory: true, persistent: true, content_type: "application/json",
                        reply_to: REPLY_TO, correlation_id: body["id"])
  channel.wait_for_confirms
  Timeout.timeout(PATIENCE) { JSON.parse(answers.pop) }
rescue Timeout::Error
  nil
ensure
  connection&.close
end

def ask(url, type, fields)
  body = command(type, fields)
  TRIES.times do |attempt|
    answer = begin
      send_once(url, body)
    rescue Bunny::Exception => error # the broker is away, or nobody has declared the exchange yet
      warn "#{type}: #{error.message}"
      nil
    end
    return answer if answer
    sleep 0.2 * 2**attempt
  end
  nil
end

def value(text)
  return File.read(text[1..], encoding: "utf-8") if text.start_with?("@")
  JSON.parse(text)
rescue JSON::ParserError
  text
end

url, type, *words = ARGV
answer = ask(url, type, words.to_h { |word| name, text = word.split("=", 2); [name, value(text.to_s)] })
if answer.nil?
  warn "#{type} was not answered in #{TRIES} tries"
  exit 2
end
puts JSON.generate(answer)
exit answer.key?("error") ? 1 : 0
