# What a training program in another language does to report over RabbitMQ. Needs only the gem bunny
# (Debian: ruby-bunny). An experiment finds the four variables in its environment.

require "bunny"
require "json"
require "securerandom"

# By source and sequence Beagle knows a repeat: publish a report again whenever it is not certain that it arrived.
class Reports
  def initialize
    @source = "#{ENV.fetch("BEAGLE_SERVICE", "main")}-#{Process.pid}-#{SecureRandom.hex(6)}"
    @sequence = -1
    @connection = Bunny.new(ENV.fetch("BEAGLE_METRICS_URL"), logger: Logger.new(File::NULL))
    @connection.start
    @channel = @connection.create_channel
    @channel.confirm_select
  end

  def report(step, metrics)
    publish(JSON.generate({ type: "metrics", step: step, metrics: metrics }))
  end

  def completed
    publish("<EXPERIMENT_COMPLETED>")
  end

  # Returns once the broker has it on disk: what a program has reported counts, however it ends after that.
  def publish(body)
    @sequence += 1
    @channel.basic_publish(body, ENV.fetch("BEAGLE_METRICS_EXCHANGE"), ENV.fetch("BEAGLE_METRICS_KEY"),
                           mandatory: true, persistent: true, timestamp: Time.now.to_i,
                           message_id: "#{@source}/#{@sequence}",
                           headers: { "source" => @source, "sequence" => @sequence })
    raise "the broker refused #{body}" unless @channel.wait_for_confirms
  end

  def close
    @connection.close
  end
end

if $PROGRAM_NAME == __FILE__
  reports = Reports.new
  (1..3).each { |epoch| reports.report(epoch, { accuracy: epoch * 0.2, cost: 1.0 / epoch }) }
  reports.close
end
